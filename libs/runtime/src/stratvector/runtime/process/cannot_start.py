"""cannot_start: why a process ends before it works, told to its user as one sentence."""


class CannotStart(RuntimeError):
    """What a service can't start with; a service's `serve` may raise it too.

    may_heal : whether the next start may work although nobody put anything right.
    """

    may_heal = False
