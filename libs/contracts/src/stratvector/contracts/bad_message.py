"""The one error of this room: a noun that cannot travel, or a payload that is none."""


class BadMessage(ValueError):
    """A message that breaks a rule of its contract, told in one sentence.

    noun : the word of the flow, such as "orders". rule : what is wrong, with the value.
    """

    def __init__(self, noun: str, rule: str) -> None:
        super().__init__(f"bad {noun} message: {rule}")
        self.noun, self.rule = noun, rule

    def __reduce__(self) -> tuple[type["BadMessage"], tuple[str, str]]:
        return type(self), (self.noun, self.rule)  # errors cross processes whole
