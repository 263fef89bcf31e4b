# One Python service with its own packages and nobody else's:
#   docker build --file deploy/docker/python.Dockerfile --build-arg SERVICE=risk --tag stratvector/risk:0.1.0 .
# The classic builder is enough. The stages before the service's own are the same for all services.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# Wheels of every member, and the tool that installs them, both from the lock.
FROM ${PYTHON_IMAGE} AS wheels
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /source
# What one service has loaded from the index, the next ones find in the cache.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_CACHE_DIR=/cache UV_LINK_MODE=copy
# Debian keeps one version of a package; that of the base image decides which.
# hadolint ignore=DL3008
RUN dpkg-query --show --showformat '${Package} ${Version}\n' >/base-packages.txt \
    && apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock deploy/docker/install.sh ./
RUN ./install.sh tools
COPY . .
RUN ./deploy/docker/install.sh wheels

# The compiled engine. x86-64-v2 runs on every server of the last fifteen years; x86-64-v3 has AVX2,
# x86-64-v4 AVX-512.
FROM wheels AS engine
ARG NUMBA_CPU_NAME=x86-64-v2
RUN ./deploy/docker/install.sh engine "$NUMBA_CPU_NAME"

# The service's packages. Everything has one time, in whole seconds: numba's cache asks for that of
# its sources, and a layer does not keep what is finer.
FROM engine AS packages
ARG SERVICE
RUN ./deploy/docker/install.sh service "$SERVICE"

# What all services' images have in common comes first, so it is made once; what is large comes last.
FROM ${PYTHON_IMAGE}
ARG NUMBA_CPU_NAME=x86-64-v2
# Nothing is written but to /tmp and to where the compiled engine is copied, a volume of each pod.
ENV PATH=/opt/stratvector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=${NUMBA_CPU_NAME} \
    NUMBA_CPU_FEATURES= \
    STRATVECTOR_CACHE=/tmp/stratvector
USER 10001:10001
EXPOSE 9100 50051
HEALTHCHECK --interval=15s --timeout=5s --start-period=300s --retries=3 \
    CMD ["/opt/stratvector/bin/healthy"]
ENTRYPOINT ["/opt/stratvector/bin/start"]
ARG SERVICE VERSION=0.1.0 REVISION=unknown
ENV SERVICE=${SERVICE}
LABEL org.opencontainers.image.title="stratvector-${SERVICE}" \
    org.opencontainers.image.description="The service ${SERVICE} of StratVector" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# A volume that is mounted here belongs to the user; only who keeps something has one.
COPY --from=packages --chown=10001:10001 /opt/stratvector/data /var/lib/stratvector
COPY --from=packages /opt/stratvector /opt/stratvector
