"""restarts: how long a child that ended waits for its next start, and when it gets none."""

from dataclasses import dataclass

WAIT_SECONDS_MIN = 0.25
WAIT_SECONDS_MAX = 8.0
WELL_SECONDS = 10.0

BAD_SETTINGS = 2
REFUSED = 78

BAD_SETTINGS_MAX = 3
QUICK_FAILURES_MAX = 10


@dataclass
class Restarts:
    """One child's record of ends.

    The wait doubles from 0.25 s to 8 s and starts anew after the child ran for 10 s. Exit code 78
    says that a person must put something right, which ends the attempts; so do three codes 2 in a
    row, that say that settings are wrong. Ten quick failures with other codes end them too, so that
    nobody waits for a program that can't start. Death by a signal came from outside and never ends
    them.
    """

    ends: int = 0
    bad_settings: int = 0
    quick_failures: int = 0

    def wait_seconds(self, code: int, ran_seconds: float) -> float | None:
        """After an end with this code: how long to wait, or None to give up.

        code : negative for the signal that killed it.
        """
        if ran_seconds >= WELL_SECONDS:
            self.ends = self.bad_settings = self.quick_failures = 0
        if code == REFUSED:
            return None
        self.bad_settings = self.bad_settings + 1 if code == BAD_SETTINGS else 0
        self.quick_failures += code > 0
        if self.bad_settings >= BAD_SETTINGS_MAX or self.quick_failures >= QUICK_FAILURES_MAX:
            return None
        wait: float = min(WAIT_SECONDS_MIN * 2.0**self.ends, WAIT_SECONDS_MAX)
        self.ends += 1
        return wait
