import assert from "node:assert/strict";
import { test } from "node:test";
import { BoxshipError } from "@boxship/base";
import { decodeCreateContainer } from "./create-container.ts";

const decode = (body: unknown, version = 51) => decodeCreateContainer(body, { version, warnings: [] });

test("wrong types name the field, as Go does", () => {
  const cases: readonly [unknown, string][] = [
    [{ Image: 5 }, "number into Go struct field ContainerConfig.Image of type string"],
    [{ Image: "a", Cmd: 5 }, "number into Go struct field ContainerConfig.Cmd of type []string"],
    [{ Image: "a", Cmd: [5] }, "number into Go struct field ContainerConfig.Cmd of type string"],
    [{ Image: "a", Tty: "yes" }, "string into Go struct field ContainerConfig.Tty of type bool"],
    [{ Image: "a", HostConfig: { Memory: "x" } }, "string into Go struct field HostConfig.Memory of type int64"],
    [{ Image: "a", HostConfig: { Memory: 1.5 } }, "number 1.5 into Go struct field HostConfig.Memory of type int64"],
    [{ Image: "a", HostConfig: { Binds: {} } }, "object into Go struct field HostConfig.Binds of type []string"],
    [{ Image: "a", HostConfig: [] }, "array into Go struct field CreateRequest.HostConfig of type HostConfig"],
    [{ Image: "a", Labels: { x: 1 } }, "number into Go struct field ContainerConfig.Labels of type string"],
    [
      { Image: "a", ExposedPorts: ["80"] },
      "array into Go struct field ContainerConfig.ExposedPorts of type map[string]struct {}",
    ],
    [
      { Image: "a", HostConfig: { PortBindings: { "80/tcp": [{ HostPort: 8080 }] } } },
      "number into Go struct field PortBinding.HostPort of type string",
    ],
    [
      { Image: "a", HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: "3" } } },
      "string into Go struct field RestartPolicy.MaximumRetryCount of type int",
    ],
  ];
  for (const [body, message] of cases) {
    assert.throws(() => decode(body), {
      code: "InvalidArgument",
      message: `invalid JSON: json: cannot unmarshal ${message}`,
    });
  }
});

test("log options without a driver are those of the default one", () => {
  const logOf = (LogConfig: object) => decode({ Image: "a", HostConfig: { LogConfig } }).hostConfig?.logConfig;
  assert.deepEqual(logOf({ Type: "", Config: { "max-size": "1m" } }), {
    type: "json-file",
    config: { "max-size": "1m" },
  });
  assert.equal(logOf({ Type: "", Config: {} }), undefined);
});

test("what cannot be honoured is refused by name; what says nothing passes", () => {
  const refused: readonly [object, string][] = [
    [{ Isolation: "hyperv" }, "HostConfig.Isolation"],
    [{ Cgroup: "container:x" }, "HostConfig.Cgroup"],
    [{ CpuCount: 2 }, "HostConfig.CpuCount"],
    [{ CpuPercent: 50 }, "HostConfig.CpuPercent"],
    [{ IOMaximumIOps: 1 }, "HostConfig.IOMaximumIOps"],
    [{ IOMaximumBandwidth: 1 }, "HostConfig.IOMaximumBandwidth"],
    [{ DiskQuota: 1 }, "HostConfig.DiskQuota"],
    [{ Capabilities: ["ALL"] }, "HostConfig.Capabilities"],
  ];
  for (const [host, name] of refused) {
    assert.throws(
      () => decode({ Image: "a", HostConfig: host }),
      (error: unknown) =>
        error instanceof BoxshipError && error.code === "Unsupported" && error.message.startsWith(`${name} `),
    );
  }
  assert.throws(() => decode({ Image: "a", HostConfig: { Mounts: [{ Type: "cluster", Target: "/x" }] } }), {
    code: "Unsupported",
  });
  const nothing = { DeviceRequests: null, Isolation: "", Cgroup: "", CpuCount: 0, Capabilities: [], DiskQuota: 0 };
  assert.deepEqual(decode({ Image: "a", HostConfig: nothing }).hostConfig, {});
});

test("what has no effect any more is accepted with a warning", () => {
  const warnings: string[] = [];
  decodeCreateContainer(
    { Image: "a", HostConfig: { KernelMemory: 1 << 20, KernelMemoryTCP: 0 } },
    { version: 51, warnings },
  );
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /^HostConfig\.KernelMemory is not supported/);
});

test("values that Docker refuses", () => {
  const cases: readonly [object, RegExp][] = [
    [{ HostConfig: { RestartPolicy: { Name: "bla" } } }, /unknown policy 'bla'/],
    [{ HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 3 } } }, /can only be used with 'on-failure'/],
    [{ HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: -1 } } }, /cannot be negative/],
    [{ Healthcheck: { Interval: 5 } }, /^Interval in Healthcheck cannot be less than 1ms$/],
    [{ Healthcheck: { Timeout: -5 } }, /^Timeout in Healthcheck/],
    [{ HostConfig: { Mounts: [{ Type: "foo", Target: "/x" }] } }, /mount type unknown/],
    [{ HostConfig: { Mounts: [{ Type: "bind", Source: "/a" }] } }, /field Target must not be empty/],
    [
      { HostConfig: { Mounts: [{ Type: "bind", Target: "/x", TmpfsOptions: { Mode: 1 } }] } },
      /field TmpfsOptions must not be/,
    ],
    [{ HostConfig: { PortBindings: { "80/xyz": [] } } }, /invalid port specification: "80\/xyz"/],
    [{ HostConfig: { PortBindings: { "99999": [] } } }, /invalid port specification/],
    [{ HostConfig: { CgroupnsMode: "weird" } }, /invalid cgroup namespace mode: weird/],
  ];
  for (const [part, message] of cases) {
    assert.throws(() => decode({ Image: "a", ...part }), { code: "InvalidArgument", message });
  }
});

test("what a version does not have is passed over", () => {
  const body = {
    Image: "a",
    Healthcheck: { Test: ["CMD", "x"], StartInterval: 1_000_000 },
    HostConfig: {
      Annotations: { a: "b" },
      CgroupnsMode: "private",
      Mounts: [{ Type: "volume", Target: "/v", VolumeOptions: { Subpath: "s" } }],
    },
  };
  assert.deepEqual(decode(body, 30), {
    config: { image: "a", healthcheck: { test: ["CMD", "x"] } },
    hostConfig: { mounts: [{ type: "volume", target: "/v" }] },
  });
  assert.deepEqual(decode(body, 51), {
    config: { image: "a", healthcheck: { test: ["CMD", "x"], startIntervalMs: 1 } },
    hostConfig: {
      annotations: { a: "b" },
      cgroupnsMode: "private",
      mounts: [{ type: "volume", target: "/v", volumeOptions: { subpath: "s" } }],
    },
  });
});

test("ports, commands, entrypoints and endpoints in their shapes", () => {
  const { config, hostConfig, endpoints } = decode({
    Image: "a",
    Cmd: "ls",
    Entrypoint: [""],
    ExposedPorts: { "80": {}, "80/TCP": {}, "1000-1002/udp": null },
    HostConfig: {
      PortBindings: { "80": [{}], "81/tcp": null },
      PidsLimit: -1,
      MemorySwappiness: -1,
      ConsoleSize: [24, 80],
    },
    NetworkingConfig: {
      EndpointsConfig: {
        n1: {
          IPAMConfig: { IPv4Address: "10.0.0.5" },
          Aliases: ["x"],
          GwPriority: 3,
          IPAddress: "10.9.9.9",
          EndpointID: "e",
        },
        n2: null,
      },
    },
  });
  assert.deepEqual(config, { image: "a", cmd: ["ls"], entrypoint: [], exposedPorts: ["80/tcp", "1000-1002/udp"] });
  assert.deepEqual(hostConfig, { portBindings: { "80/tcp": [{}], "81/tcp": [] }, consoleSize: [24, 80] });
  assert.deepEqual(endpoints, { n1: { aliases: ["x"], gatewayPriority: 3, ipv4Address: "10.0.0.5" }, n2: {} });
  const two = { Image: "a", NetworkingConfig: { EndpointsConfig: { b: {}, a: {} } } };
  assert.throws(() => decode(two, 43), { message: "container cannot be connected to network endpoints: a, b" });
});

test("names that are JavaScript's own are ordinary keys", () => {
  const body: unknown = JSON.parse(
    '{"Image":"a","Labels":{"__proto__":"p","constructor":"c"},"__proto__":{"Tty":true}}',
  );
  const { config } = decode(body);
  assert.deepEqual(Object.entries(config.labels ?? {}), [
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  assert.equal(config.tty, undefined);
});
