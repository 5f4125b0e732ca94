import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCreateContainer } from "../wire/create-container.ts";
import { checkHostConfig } from "./confined-options.ts";
import { parseRole } from "./role.ts";

const role = parseRole({ name: "ci", role: "confined", mounts: ["/srv/ci"] });

function check(hostConfig: object): void {
  const body = { Image: "x", HostConfig: hostConfig };
  checkHostConfig(decodeCreateContainer(body, { version: 51, warnings: [] }).hostConfig, role);
}

const ESCAPES: readonly object[] = [
  { Privileged: true },
  { privileged: true },
  { CapAdd: ["SYS_ADMIN"] },
  { CapAdd: ["cap_sys_ptrace"] },
  { CapAdd: ["ALL"] },
  { CapAdd: ["DAC_READ_SEARCH"] },
  { PidMode: "host" },
  { IpcMode: "host" },
  { UTSMode: "host" },
  { UsernsMode: "host" },
  { CgroupnsMode: "host" },
  { NetworkMode: "host" },
  { Devices: [{ PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "rwm" }] },
  { DeviceCgroupRules: ["b *:* rwm"] },
  { BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 }] },
  { Binds: ["/:/host"] },
  { Binds: ["/etc/shadow:/x:ro"] },
  { Binds: ["/srv/ci/../../etc:/x"] },
  { Binds: ["/srv/ci/sub:/x"] },
  { Binds: ["/srv/ci-other:/x"] },
  { Binds: ["/srv/ci:/x:rshared"] },
  { Binds: ["/run/boxship/engine.sock:/s"] },
  { Mounts: [{ Type: "bind", Source: "/", Target: "/host" }] },
  { Mounts: [{ Type: "bind", Source: "/srv/ci/.", Target: "/x", BindOptions: { Propagation: "rshared" } }] },
  {
    Mounts: [
      {
        Type: "volume",
        Target: "/x",
        VolumeOptions: { DriverConfig: { Name: "local", Options: { type: "none", o: "bind", device: "/" } } },
      },
    ],
  },
  { Mounts: [{ Type: "volume", Source: "/etc", Target: "/x" }] },
  { Mounts: [{ Type: "volume", Source: "v", Target: "/x", VolumeOptions: { Subpath: "link" } }] },
  { Mounts: [{ Type: "image", Source: "v", Target: "/x", ImageOptions: { Subpath: "link" } }] },
  { VolumeDriver: "nfs" },
  { SecurityOpt: ["seccomp=unconfined"] },
  { SecurityOpt: ["seccomp:unconfined"] },
  { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] },
  { SecurityOpt: ["apparmor=unconfined"] },
  { SecurityOpt: ["systempaths=unconfined"] },
  { SecurityOpt: ["label=disable"] },
  { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] },
  { MaskedPaths: [] },
  { ReadonlyPaths: [] },
  { Runtime: "kata" },
  { CgroupParent: "/" },
  { CgroupParent: "/system.slice" },
  { OomScoreAdj: -1000 },
  { OomKillDisable: true },
  { CpuRealtimeRuntime: 1000 },
  { Annotations: { "run.oci.hooks.stdout": "/etc/cron.d/x" } },
  { LogConfig: { Type: "syslog", Config: { "syslog-address": "unix:///run/x" } } },
  { StorageOpt: { dm: "x" } },
];

for (const hostConfig of ESCAPES) {
  test(`a confined socket refuses ${JSON.stringify(hostConfig)}`, () => {
    assert.throws(() => check(hostConfig), {
      code: "PermissionDenied",
      message: /the confined socket ci does not allow/,
    });
  });
}

test("what ordinary clients send is allowed", () => {
  check({});
  check({
    Binds: ["/srv/ci:/work:ro", "data:/data", "/srv/ci/:/other"],
    Mounts: [
      { Type: "tmpfs", Target: "/t" },
      { Type: "volume", Source: "v", Target: "/v" },
    ],
    CapAdd: ["NET_BIND_SERVICE", "CAP_CHOWN"],
    CapDrop: ["ALL"],
    Privileged: false,
    OomKillDisable: false,
    Devices: [],
    NetworkMode: "default",
    PortBindings: { "80/tcp": [{ HostPort: "8080" }] },
    RestartPolicy: { Name: "always" },
    SecurityOpt: ["no-new-privileges"],
    IpcMode: "private",
    PidMode: "",
    UsernsMode: "",
    Memory: 1 << 26,
    LogConfig: { Type: "json-file", Config: {} },
    Init: true,
    MaskedPaths: null,
  });
});
