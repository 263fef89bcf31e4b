# The Monte Carlo service: one program, and of a system only what it is linked against.
#   docker build --file deploy/docker/rust.Dockerfile --tag stratvector/monte_carlo:0.1.0 .
ARG RUST_IMAGE=rust:1.90-slim-bookworm

FROM ${RUST_IMAGE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /source
COPY . .
RUN cargo build --quiet --release --locked --package stratvector-monte-carlo
# What the program loads at its start, and the resolver, which it loads when it asks for a name.
RUN install -D --strip target/release/stratvector-monte-carlo /image/usr/bin/stratvector-monte-carlo \
    && ldd target/release/stratvector-monte-carlo | grep --only-matching '/[^ ]*' \
    | xargs --replace cp --dereference --parents {} /image \
    && install --directory --mode 1777 /image/tmp \
    && install -D --mode 0644 deploy/docker/monte_carlo.yaml /image/etc/monte_carlo.yaml \
    && install -D --mode 0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && echo 'hosts: files dns' >/image/etc/nsswitch.conf \
    && echo 'stratvector:x:10001:10001::/:/bin/false' >/image/etc/passwd \
    && ldd target/release/stratvector-monte-carlo | grep --only-matching '/[^ ]*' \
    | xargs deploy/docker/contents.sh /usr/sbin/update-ca-certificates >/image/etc/packages.json

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="stratvector-monte_carlo" \
    org.opencontainers.image.description="The service monte_carlo of StratVector" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
USER 10001:10001
EXPOSE 9100 50051
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/bin/stratvector-monte-carlo", "--settings", "/etc/monte_carlo.yaml", "--healthy"]
ENTRYPOINT ["/usr/bin/stratvector-monte-carlo", "--settings", "/etc/monte_carlo.yaml"]
