# syntax=docker/dockerfile:1
# For people who have a container engine; "make images" needs none.
#   docker build --target operator --build-arg VERSION=v0.1.0 -t quorate-operator .
#   docker build --target node     --build-arg VERSION=v0.1.0 -t quorate-node .

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=v0.1.0-dev
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/quorate-operator . && \
    go build -trimpath -ldflags "-s -w -X github.com/quorate/quorate/node/server.Version=${VERSION}" -o /out/quorate-node ./node

FROM scratch AS base
ARG VERSION=v0.1.0-dev
LABEL org.opencontainers.image.source=https://github.com/quorate/quorate \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION}
USER 65532:65532

FROM base AS operator
LABEL org.opencontainers.image.title=quorate-operator
COPY --from=build /out/quorate-operator /quorate-operator
ENTRYPOINT ["/quorate-operator"]

FROM base AS node
LABEL org.opencontainers.image.title=quorate-node
COPY --from=build /out/quorate-node /quorate-node
ENTRYPOINT ["/quorate-node"]
