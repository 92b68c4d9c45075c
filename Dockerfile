# `birds serve` in a container, on the CPU: see docs/serving.md. Only what serving needs: no torch, no fastai.
#
#     docker build --tag birds-serve .
#     docker run --rm --publish 127.0.0.1:8000:8000 --volume "$PWD/runs/NAME/bundle:/bundle:ro" birds-serve

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt \
        filelock numpy onnxruntime pillow python-multipart starlette typer uvicorn \
 && /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin birds
USER 10001
WORKDIR /bundle
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Who may reach it is decided outside, by --publish; further flags of `birds serve` come after the image's name.
ENTRYPOINT ["birds", "serve", "/bundle", "--host", "0.0.0.0", "--i-know-this-is-public"]
