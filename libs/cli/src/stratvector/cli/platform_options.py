"""platform_options: what `up` and `paper run`, which start every service, are asked alike."""

from typing import Annotated

import typer

Replicas = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Processes of a service, such as risk=2,strategy=2."),
]
BasePort = Annotated[
    int | None,
    typer.Option(metavar="N", help="Listen on ports in a row from N; 0 takes any free ones."),
]
NatsPort = Annotated[int | None, typer.Option(metavar="N", help="Port of NATS, instead of 4222.")]
ConsolePort = Annotated[
    int | None, typer.Option(metavar="N", help="Port of the console, instead of 8000.")
]
MonitorPort = Annotated[
    int | None, typer.Option(metavar="N", help="Let NATS's own monitor listen; off without.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell every order and fill.")]
OwnStrategies = Annotated[
    bool,
    typer.Option("--own-strategies", help="Run the code of strategy files that the log brings."),
]
