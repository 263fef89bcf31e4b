# Debian's PostgreSQL behind the variables of the real image that docker-compose.yml uses. initdb asks for its user's name.
FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* && useradd --uid 10001 --no-create-home stratvector
COPY postgres-start /usr/local/bin/postgres-start
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
ENTRYPOINT ["postgres-start"]
