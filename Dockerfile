# The server in an image of its own:
#   docker build -t symbold .
#   docker run -p 8000:8000 -v symbols:/data --read-only symbold

FROM rust:1.95-bookworm AS build
WORKDIR /build
# What `symbold version` and /__version__ name as the commit: --build-arg SYMBOLD_COMMIT=$(git rev-parse HEAD)
ARG SYMBOLD_COMMIT=unknown
# The toolchain first, in a layer that outlives changes of the source.
COPY rust-toolchain.toml ./
RUN rustup toolchain install
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY crates crates
COPY loadtest loadtest
COPY benches benches
COPY config config
COPY docs docs
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && cp target/release/symbold /symbold
# An empty directory to become /data: the image below has no shell to make one.
RUN mkdir /empty

# glibc and root certificates; no shell and no package manager.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /symbold /usr/local/bin/symbold
COPY --from=build --chown=10001:10001 /empty /data

# Objects, database, temporary files: the one place that is written to.
VOLUME /data
ENV SYMBOLD_DATA_DIR=/data \
    SYMBOLD_SERVER__LISTEN=0.0.0.0:8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["/usr/local/bin/symbold", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/symbold"]
CMD ["serve"]
