# One image for generator, trainer and evaluator: the command says which, as `dist/generator/main.js`.
# Targets: `cpu`, which is the default, and `cuda`.
ARG NODE_IMAGE=node:24-bookworm-slim
# CUDA and cuDNN that the onnxruntime-node of package.json wants; ONNXRUNTIME below, this line and package.json change
# together.
ARG CUDA_IMAGE=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04


FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The package itself has all that a CPU needs.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
# What runs goes to /image/app; the folders that become volumes go to /image/volumes, the built-in models among them.
RUN npm run build \
  && npm prune --omit=dev --no-audit --no-fund \
  && cd node_modules/onnxruntime-node/bin/napi-v6 \
  && rm -rf darwin win32 \
  && find linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} + \
  && cd /app \
  && mkdir -p /image/app /image/volumes/models /image/volumes/runs /image/volumes/evaluations /image/volumes/cache \
  && mv node_modules dist bin package.json NOTICE LICENSE /image/app \
  && mv demo/base demo/scorer /image/volumes/models


FROM ${NODE_IMAGE} AS cpu
ENV NODE_ENV=production HOME=/tmp HOST=0.0.0.0 PORT=50051 \
  MODEL_DIR=/models RUNS_DIR=/runs EVALUATIONS_DIR=/evaluations CACHE_DIR=/cache
WORKDIR /app
COPY --from=build /image/app /app
COPY --from=build --chown=10001:10001 /image/volumes /
USER 10001:10001
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["node", "/app/bin/health.mjs"]
ENTRYPOINT ["node"]
CMD ["bin/spin-diffusion.mjs", "--help"]


FROM build AS cuda-provider
ARG ONNXRUNTIME=1.30.0
WORKDIR /image/app/node_modules/onnxruntime-node
RUN test "$(node -p 'require("./package.json").version')" = "$ONNXRUNTIME" \
  || { echo "onnxruntime-node is not $ONNXRUNTIME any more: choose CUDA_IMAGE and ONNXRUNTIME anew" >&2; exit 1; }
# The package's own script fetches the provider of its own version from NuGet. TensorRT's is not used.
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 node script/install.js \
  && rm bin/napi-v6/linux/x64/libonnxruntime_providers_tensorrt.so


FROM ${CUDA_IMAGE} AS cuda
ENV NODE_ENV=production HOME=/tmp HOST=0.0.0.0 PORT=50051 DEVICE=cuda \
  MODEL_DIR=/models RUNS_DIR=/runs EVALUATIONS_DIR=/evaluations CACHE_DIR=/cache \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=cuda-provider /image/app /app
COPY --from=build --chown=10001:10001 /image/volumes /
USER 10001:10001
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s CMD ["node", "/app/bin/health.mjs"]
# Starts nothing before the provider has computed something.
ENTRYPOINT ["node", "/app/bin/with-cuda.mjs"]
CMD ["bin/spin-diffusion.mjs", "--help"]


FROM cpu AS default
