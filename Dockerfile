# aictail as a container image: one static binary and the certificates to check
# tenants by. Nothing else is in it, no shell either.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t aictail .
#
# Without a network, from the modules that "make modules" collects:
#
#   docker build --network=none --build-arg GOPROXY=file:///src/dist/modules -t aictail .

# The version is that of go.mod. The build machine's own architecture compiles for
# all others.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
ARG GOPROXY
# The image's Go is used as it is.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
      -ldflags "-s -w -X main.version=$VERSION" -o /image/usr/bin/aictail ./cmd/aictail && \
    install -d /image/usr/share/doc/aictail && \
    deploy/licenses.sh >/image/usr/share/doc/aictail/copyright && \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt && \
    install -d -o 65532 -g 65532 -m 0750 /image/var/lib/aictail /image/var/log/aictail

FROM scratch
ARG VERSION=unknown
LABEL org.opencontainers.image.title="aictail" \
      org.opencontainers.image.description="Forwards the logs of PingOne Advanced Identity Cloud, every entry once" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.documentation="/usr/share/doc/aictail"
# The two folders belong to the user below; a new volume takes that over.
COPY --from=build /image/ /
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# admin.listen is 127.0.0.1:9464 by default, which only this container reaches: set it
# to 0.0.0.0:9464 for whoever collects metrics or probes from outside.
EXPOSE 9464
VOLUME ["/var/lib/aictail"]
WORKDIR /var/lib/aictail
# SIGTERM has it deliver what it has read. Give it shutdown_timeout and a little more:
# docker stop --time 45.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["/usr/bin/aictail", "health", "--config", "/etc/aictail/aictail.yaml"]
ENTRYPOINT ["/usr/bin/aictail"]
CMD ["run", "--config", "/etc/aictail/aictail.yaml"]
