"""Fields for the options of each method, made from their declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from magicgui.widgets import Widget

from napari_motionmag.methods.option_field import Option
from napari_motionmag.methods.options import OPTIONS
from napari_motionmag.widgets.common.form import CollapsibleSection, checkbox, choice, number

LARGEST = 2**40


class OptionFields:
    """A field for each of some options: ``fields``, by the name of the option.

    The Qt names of the fields begin with `prefix`.
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
    """Options of all methods, ``of`` by method; those of one are shown."""

    def __init__(self):
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

    def values(self, method: str) -> dict:
        """Return the options of a method that differ from their defaults and apply."""
        if method not in self.of:
            return {}
        values = self.of[method].values()
        return {name: value for name, value in values.items() if self._applies(method, name)}

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
    name, label = f"{prefix}_{option.name}", option.label or option.name.capitalize()
    tooltip = f"{option.help}\nIn scripts: {option.name}, {option.allowed}."
    if option.kind == "choice":
        return choice(name, label, list(option.choices), tooltip, value=option.default)
    if option.kind == "flag":
        field = checkbox(name, "", tooltip, option.default)
        field.label = label
        return field
    low = -LARGEST if option.low is None else option.low
    if option.none:  # one step below the least value stands for it
        low -= 1
        tooltip += f"\nAutomatic: {option.none}."
    unit = option.unit.split(" of ")[0]
    whole = option.kind == "integer"  # Qt's box for integers of any size shows no unit
    return number(
        name,
        tooltip,
        label=label,
        value=low if option.default is None else option.default,
        low=low,
        high=LARGEST if option.high is None else option.high,
        decimals=0 if whole else 2,
        suffix=f" {unit}" if unit else "",
        text_for_low=_text_for_none(option),
        step=1 if whole else 0.1 if option.high == 1 else 0.5,
    )


def _text_for_none(option: Option) -> str:
    """Return what the least value of a field, which stands for None, shows."""
    return option.none if len(option.none) < 20 else "automatic"
