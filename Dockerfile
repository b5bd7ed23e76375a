# The image of both programs, `petops daemon` and `petops mcp`. Every package is the very file whose
# hash requirements/run.lock names.
#
#   docker build --tag petops:0.1.0 .

# Give a digest here (python@sha256:...) to pin the base as well.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS packages
COPY requirements/run.lock /tmp/run.lock
RUN python -m venv --without-pip /opt/petops/venv \
    && pip --python /opt/petops/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --no-deps --only-binary :all: --requirement /tmp/run.lock
COPY src /opt/petops/src
COPY manifests /opt/petops/manifests
# The file system is read-only later: what is not compiled now is compiled at every start.
RUN /opt/petops/venv/bin/python -m compileall -q /opt/petops

FROM ${PYTHON}
LABEL org.opencontainers.image.title="petops" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages /opt/petops /opt/petops
ENV PATH=/opt/petops/venv/bin:$PATH \
    PYTHONPATH=/opt/petops/src \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["python", "-m", "petops"]
CMD ["daemon"]
