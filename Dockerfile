# pfdcm in a container, in the place of fnndsc/pfdcm: the same arguments, ports and volumes. See docs/container.md.
#   docker build -t pfdcm .        (or podman)
# To build on one exact base: --build-arg PYTHON=docker.io/library/python@sha256:...
ARG PYTHON=

FROM ${PYTHON:-docker.io/library/python:3.11-slim-bookworm} AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends tini
WORKDIR /src
COPY etc/container/requirements.lock etc/container/build.lock etc/container/
# From wheels only: what would have to be compiled is refused rather than built. jsonrpcserver is published as source
# alone, in pure Python.
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r etc/container/build.lock \
 && SOURCE_DATE_EPOCH=315532800 /build/bin/pip wheel --no-cache-dir --no-build-isolation --require-hashes \
        --only-binary :all: --no-binary jsonrpcserver -w /wheels -r etc/container/requirements.lock \
 && python3 -m venv --without-pip /opt/pfdcm \
 && /build/bin/pip --python /opt/pfdcm/bin/python install --no-cache-dir --no-compile --no-deps --no-index /wheels/*.whl
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY pfdcmd pfdcmd
COPY listener listener
# Of the programs that libraries bring, supervisor's stay, for operators; pynetdicom's are named as DCMTK's are.
# Bytecode that is checked against neither source nor clock: it is used whatever the builder does with file times.
RUN SOURCE_DATE_EPOCH=315532800 /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheel . \
 && /build/bin/pip --python /opt/pfdcm/bin/python install --no-cache-dir --no-compile --no-deps --no-index /wheel/*.whl \
 && find /opt/pfdcm/bin -type f ! -name 'pfdcm*' ! -name 'supervisor*' -delete \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/pfdcm/lib

FROM ${PYTHON:-docker.io/library/python:3.11-slim-bookworm}
COPY --from=build /usr/bin/tini-static /usr/bin/tini
COPY --from=build /opt/pfdcm /opt/pfdcm
# An unprivileged user in group 0, and directories that the group may write to: a platform that runs the image under a
# user id of its own choosing leaves it in group 0.
RUN echo 'pfdcm:x:4055:0:pfdcm:/var/lib/pfdcm:/usr/sbin/nologin' >> /etc/passwd \
 && install -d -o 4055 -g 0 -m 2775 /dicom /var/lib/pfdcm
# Who runs it as root means that: a volume that the original's root wrote stays in use, nothing is given away.
# HOME is where a user who may not write to the state directory has one; the drain, with what else there is to end,
# fits in the ten seconds that `docker stop` grants.
ENV PATH=/opt/pfdcm/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PFDCM_IP_SELF=0.0.0.0 \
    PFDCM_USER=root \
    PFDCM_LISTENER_DRAIN_SECONDS=5
USER 4055:0
WORKDIR /var/lib/pfdcm
VOLUME ["/dicom", "/var/lib/pfdcm"]
EXPOSE 4055 10402
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 CMD ["pfdcm-ready"]
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/opt/pfdcm/bin/pfdcm"]
CMD ["--forever", "--httpResponse"]

ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="pfdcm" \
      org.opencontainers.image.description="Path-and-file DICOM: query a PACS, retrieve from it, and file what arrives, by JSON messages" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
