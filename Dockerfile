# The image of dotward. Build stage: everything that compiles; final stage: the program, what it links, CA certificates.
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      g++ cmake ninja-build pkg-config libldns-dev libssl-dev libgnutls28-dev libpsl-dev libsystemd-dev libabsl-dev \
      libspdlog-dev libasio-dev libyaml-cpp-dev nlohmann-json3-dev libcpp-httplib-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /dotward
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY include include
COPY src src
RUN cmake --preset release -DDOTWARD_TESTS=OFF -DDOTWARD_BENCH=OFF \
 && cmake --build --preset release --target dotward \
 && strip -o /usr/local/bin/dotward build/release/dotward

FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libcap2-bin libldns3 libssl3 libgnutls30 libpsl5 libsystemd0 libabsl20220623 libspdlog1.10 \
      libyaml-cpp0.7 libfmt9 libcpp-httplib0.11 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old
COPY --from=build /usr/local/bin/dotward /usr/local/bin/dotward
# Lets a program that does not run as root take port 53 wherever its container may (capability NET_BIND_SERVICE), on the
# host's network too. It is done in this stage because not every builder copies the attribute from another.
RUN setcap cap_net_bind_service=+ep /usr/local/bin/dotward
COPY conf/docker.yaml /etc/dotward/dotward.yaml
# For the control socket, where the file system may be written to; and for the cache's snapshot: a new volume that is
# mounted there takes the owner from here.
RUN install -d -o 65532 -g 65532 /run/dotward && install -d -m 0700 -o 65532 -g 65532 /var/lib/dotward
# Numeric, so that an orchestrator can see that it is not root. Beyond these two nothing is written: the file system may
# be read-only.
USER 65532:65532
EXPOSE 53/udp 53/tcp
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s --retries=3 \
  CMD ["dotward", "healthcheck", "--config", "/etc/dotward/dotward.yaml"]
ENTRYPOINT ["dotward"]
CMD ["run", "--config", "/etc/dotward/dotward.yaml"]
