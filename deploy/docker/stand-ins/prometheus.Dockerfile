FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends prometheus wget \
    && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["prometheus"]
