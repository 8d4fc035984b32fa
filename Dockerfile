# Two images from a checkout (docs/containers.md):
#   docker build --target serve -t inception-serve .   .onnx files over HTTP: ONNX Runtime, no compiler, no libtorch
#   docker build --target train -t inception-train .   every command, on Debian's libtorch
ARG NODE=22

FROM node:${NODE}-bookworm-slim AS pack
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY web/package.json web/
RUN npm ci
COPY . .
RUN npm run build && npm pack --pack-destination /packed

# Both images hold this folder and run as the user 'node', who cannot write it.
FROM node:${NODE}-bookworm-slim AS install
WORKDIR /app
COPY --from=pack /packed /packed
RUN npm init --yes > /dev/null && npm install --omit=dev --ignore-scripts /packed/*.tgz onnxruntime-node
# Libraries of other platforms, 240 MB.
RUN cd node_modules/onnxruntime-node/bin/napi-v6 && rm -rf darwin win32 && cd linux && \
  case $(uname -m) in x86_64) rm -rf arm64 ;; aarch64) rm -rf x64 ;; esac

FROM install AS setup
RUN apt-get update && apt-get install --yes --no-install-recommends cmake make g++ libtorch-dev libdnnl-dev libopenblas0-pthread libjpeg-dev libgloo-dev
# The addons lie in the package's folder, so they go with /app.
RUN npx inception setup

FROM node:${NODE}-bookworm-slim AS serve
COPY --from=install /app /app
ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH
USER node
WORKDIR /models
EXPOSE 8000
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8000/v2/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["inception", "serve", "--host", "0.0.0.0"]
CMD ["model.onnx"]

FROM node:${NODE}-bookworm-slim AS train
RUN apt-get update && apt-get install --yes --no-install-recommends libtorch1.13 libdnnl2 libopenblas0-pthread libgomp1 libjpeg62-turbo && \
  rm -rf /var/lib/apt/lists/*
COPY --from=setup /app /app
ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH
USER node
WORKDIR /work
ENTRYPOINT ["inception"]
CMD ["doctor"]
