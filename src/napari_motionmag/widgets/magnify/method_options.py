"""Fields for the options of each method, made from their declarations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, Widget
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.methods.options import OPTIONS, Option
from napari_motionmag.widgets.common.collapsible import CollapsibleSection

LARGEST = 2**40


class OptionFields:
    """A field for each of some options.

    Parameters
    ----------
    options : sequence of Option
    prefix : str
        Before the object names of the fields.

    Attributes
    ----------
    fields : dict of str to Widget
        By the name of the option.
    """

    def __init__(self, options: Sequence[Option], prefix: str):
        self._options = {option.name: option for option in options}
        self.fields = {option.name: _field(option, prefix) for option in options}

    def values(self) -> dict:
        """Return the options that differ from their defaults."""
        values = {name: self.value(name) for name in self.fields}
        return {
            name: value for name, value in values.items() if value != self._options[name].default
        }

    def value(self, name: str):
        """Return the value of an option."""
        option, value = self._options[name], self.fields[name].value
        if option.none and value < option.low:
            return None
        return int(value) if option.kind == "integer" else value

    def fill(self, values: Mapping) -> None:
        """Set these options, and all others to their defaults."""
        for name, option in self._options.items():
            value = values.get(name, option.default)
            self.fields[name].value = option.low - 1 if value is None else value


class MethodOptions(CollapsibleSection):
    """Options of all methods; those of one are shown.

    Parameters
    ----------
    changed : callable
        Called when the user changes an option.

    Attributes
    ----------
    of : dict of str to OptionFields
        By method.
    """

    def __init__(self, changed: Callable | None = None):
        self.of = {
            method: OptionFields([o for o in options if not o.expert], method)
            for method, options in OPTIONS.items()
        }
        rows = [field for options in self.of.values() for field in options.fields.values()]
        super().__init__(
            "Method options",
            rows,
            name="method_options",
            tooltip="Options of this method alone. A comparison uses those of each method.",
        )
        self._method = ""
        for row in rows:
            row.changed.connect(self._show)

    @property
    def parameters(self) -> list[Widget]:
        """All fields."""
        return list(self.body)

    def values(self, method: str) -> dict:
        """Return the options of a method that differ from their defaults and apply."""
        if method not in self.of:
            return {}
        options = self.of[method]
        values = options.values()
        return {name: value for name, value in values.items() if self._applies(method, name)}

    def fill(self, method: str, values: Mapping) -> None:
        """Set the options of a method; missing ones to their defaults."""
        if method in self.of:
            self.of[method].fill(values)

    def show(self, method: str) -> None:
        """Show the options of this method; nothing at all when it has none."""
        self._method = method
        self._show()

    def _show(self, _=None) -> None:
        own = self.of.get(self._method)
        self.visible = own is not None and bool(own.fields)
        for method, options in self.of.items():
            for name, field in options.fields.items():
                field.visible = method == self._method and self._applies(method, name)
        count = len(self.values(self._method))
        self.note = f"{count} changed" if count else ""

    def _applies(self, method: str, name: str) -> bool:
        condition = next(option.only for option in OPTIONS[method] if option.name == name)
        return condition is None or self.of[method].value(condition[0]) == condition[1]


def _field(option: Option, prefix: str) -> Widget:
    common = {
        "name": f"{prefix}_{option.name}",
        "label": option.label or option.name.capitalize(),
        "tooltip": f"{option.help}\nIn scripts: {option.name}, {option.allowed}.",
    }
    if option.kind == "choice":
        field = ComboBox(choices=list(option.choices), value=option.default, **common)
    elif option.kind == "flag":
        field = CheckBox(text="", value=option.default, **common)
    else:
        low = -LARGEST if option.low is None else option.low
        if option.none:  # one step below the least value stands for it
            low -= 1
        high = LARGEST if option.high is None else option.high
        value = low if option.default is None else option.default
        field = FloatSpinBox(value=value, min=low, max=high, **common)
        whole = option.kind == "integer"  # Qt's box for integers of any size shows no unit
        field.step = 1 if whole else 0.1 if option.high == 1 else 0.5
        field.native.setDecimals(0 if whole else 2)
        if option.none:
            field.native.setSpecialValueText("automatic")
            field.tooltip += f"\nAutomatic: {option.none}."
        unit = option.unit.split(" of ")[0]
        field.native.setSuffix(f" {unit}" if unit else "")
        field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    field.native.setObjectName(field.name)
    return field
