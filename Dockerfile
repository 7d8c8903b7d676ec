# docker build -t nas . && docker run --rm -v "$PWD:/work" nas --dataset folder:pictures --budget 20k --timeout 1h
# The study and the models are in runs/ of the folder that is mounted; the same command goes on.
FROM python:3.12-slim

COPY . /nas
RUN python -m pip install --no-cache-dir --constraint /nas/constraints.txt hatchling \
 && python -m pip install --no-cache-dir --constraint /nas/constraints.txt --no-build-isolation "/nas[onnx]"

WORKDIR /work
ENTRYPOINT ["nas", "search"]
