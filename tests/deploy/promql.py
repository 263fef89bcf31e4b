"""Names in PromQL, as far as dashboards need them: metrics, labels, and Grafana's own variables."""

import re

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")
MATCHERS = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
LABEL = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")
NAME = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?!\w)(?!\s*\()")
KEYWORDS = {"by", "on", "ignoring", "without", "group_left", "group_right", "or", "and", "unless"}
INCREASING = re.compile(r"\b(?:rate|irate|increase)\(\s*([a-zA-Z_:][\w:]*)")
RELABELLED = re.compile(r'label_replace\(.*?, "(\w+)", ')
WINDOWS = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "1m"}


def without_windows(expression: str) -> str:
    """The expression as Prometheus gets it, its windows in place of Grafana's."""
    for name, window in WINDOWS.items():
        expression = expression.replace(name, window)
    return expression


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    bare = GROUPING.sub("", STRING.sub("", expression))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    return set(NAME.findall(bare)) - KEYWORDS


def matched_labels(expression: str) -> set[tuple[str, str]]:
    """A metric and a label that its selector asks for."""
    return {
        (metric, label)
        for metric, matchers in MATCHERS.findall(expression)
        for label in LABEL.findall(STRING.sub('""', matchers))
    }


def grouped_labels(expression: str) -> set[str]:
    """The labels that aggregations and joins keep."""
    lists = GROUPING.findall(STRING.sub('""', expression))
    return {label.strip() for one in lists for label in one.split(",") if label.strip()}


def made_labels(expression: str) -> set[str]:
    """The labels that an expression makes itself."""
    return set(RELABELLED.findall(expression))


def increasing(expression: str) -> set[str]:
    """The metrics of which a rate is taken."""
    return set(INCREASING.findall(expression))
