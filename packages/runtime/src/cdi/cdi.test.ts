import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@boxship/base";
import fc from "fast-check";
import type { OciSpec } from "../spec/oci.ts";
import { applyEdits } from "./apply-edits.ts";
import { CdiDevices } from "./cdi-devices.ts";
import { NO_EDITS, parseCdiSpec, parseQualifiedDevice } from "./cdi-spec.ts";
import { editsOfDrivers } from "./device-driver.ts";

function directory() {
  const path = mkdtempSync(join(tmpdir(), "boxship-cdi-"));
  return {
    path,
    join: (name: string) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const yaml = `
cdiVersion: "0.6.0"
kind: vendor.com/box
annotations: {note: "kept by the vendor"}
containerEdits:
  env: ["COMMON=1"]
devices:
  - name: one
    containerEdits:
      env: ["ONE=1", "PATH=/vendor"]
      deviceNodes:
        - {path: /dev/own-null, hostPath: /dev/null, permissions: rw}
        - {path: /dev/pipe, type: p}
        - {path: /dev/numbers, type: c, major: 1, minor: 5, fileMode: 0o600, uid: 7, gid: 8}
      mounts:
        - {hostPath: /usr/lib, containerPath: /vendor/lib, options: [ro, nosuid, bind]}
        - {hostPath: tmpfs, containerPath: /vendor, type: tmpfs, options: [mode=755]}
      hooks:
        - {hookName: createContainer, path: /bin/true, args: ["true", x], env: [A=b], timeout: 5}
      additionalGids: [44, 0]
  - name: "two:0"
    containerEdits: {}
`;

const spec: OciSpec = {
  ociVersion: "1.2.0",
  root: { path: "/r" },
  process: { user: { uid: 12, gid: 0, additionalGids: [5] }, args: ["x"], env: ["PATH=/bin", "HOME=/"], cwd: "/" },
  mounts: [{ destination: "/vendor", type: "bind", source: "/x" }],
  linux: { namespaces: [], devices: [{ path: "/dev/own-null", type: "c", major: 9, minor: 9 }], resources: {} },
};

test("a specification gives a container all that it says", async () => {
  using box = directory();
  writeFileSync(box.join("vendor.yaml"), yaml);
  const devices = await CdiDevices.read([box.join("absent"), box.path], silentLogger);
  assert.deepEqual(devices.names(), ["vendor.com/box=one", "vendor.com/box=two:0"]);
  const edits = devices.edits(["vendor.com/box=one", "vendor.com/box=two:0", "vendor.com/box=one"]);
  const made = applyEdits(spec, edits, { userNamespace: false });
  assert.deepEqual(made.process.env, ["HOME=/", "COMMON=1", "ONE=1", "PATH=/vendor"]);
  assert.deepEqual(made.process.user.additionalGids, [5, 44]);
  assert.deepEqual(made.mounts, [
    { destination: "/vendor", type: "tmpfs", source: "tmpfs", options: ["mode=755"] },
    { destination: "/vendor/lib", type: "bind", source: "/usr/lib", options: ["ro", "nosuid", "bind"] },
  ]);
  assert.deepEqual(made.hooks, {
    createContainer: [{ path: "/bin/true", args: ["true", "x"], env: ["A=b"], timeout: 5 }],
  });
  assert.deepEqual(made.linux.devices, [
    { path: "/dev/own-null", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 12 },
    { path: "/dev/pipe", type: "p", major: 0, minor: 0, uid: 12 },
    { path: "/dev/numbers", type: "c", major: 1, minor: 5, fileMode: 0o600, uid: 7, gid: 8 },
  ]);
  assert.deepEqual(made.linux.resources?.devices, [
    { allow: true, type: "c", major: 1, minor: 3, access: "rw" },
    { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
  ]);
  const inside = applyEdits(spec, edits, { userNamespace: true });
  assert.deepEqual(
    inside.mounts.find(({ destination }) => destination === "/dev/own-null"),
    {
      destination: "/dev/own-null",
      type: "bind",
      source: "/dev/null",
      options: ["bind", "rprivate", "nosuid", "noexec"],
    },
  );
  assert.throws(
    () => applyEdits(spec, { ...NO_EDITS, deviceNodes: [{ path: "/dev/nosuch" }] }, { userNamespace: false }),
    { code: "InvalidArgument", message: /the device node \/dev\/nosuch: no such file/ },
  );
});

test("later directories win, two files of one directory that disagree count for nothing, broken ones are left out", async () => {
  using box = directory();
  const [low, high] = [box.join("low"), box.join("high")];
  for (const path of [low, high]) mkdirSync(path);
  const file = (env: string, ...names: string[]) =>
    JSON.stringify({
      cdiVersion: "1.0.0",
      kind: "v.com/c",
      devices: names.map((name) => ({ name, containerEdits: { env: [env] } })),
    });
  writeFileSync(join(low, "a.json"), file("FROM=low", "both", "low"));
  writeFileSync(join(high, "a.json"), file("FROM=high", "both", "twice"));
  writeFileSync(join(high, "b.json"), file("FROM=other", "twice"));
  writeFileSync(join(high, "broken.json"), "{");
  writeFileSync(join(high, "ignored.txt"), file("FROM=text", "text"));
  const devices = await CdiDevices.read([low, high], silentLogger);
  assert.deepEqual(devices.names(), ["v.com/c=both", "v.com/c=low"]);
  assert.deepEqual(devices.edits(["v.com/c=both"]).env, ["FROM=high"]);
  assert.throws(() => devices.edits(["v.com/c=low", "v.com/c=twice", "nonsense"]), {
    code: "InvalidArgument",
    message: "CDI device injection failed: unresolvable CDI devices v.com/c=twice, nonsense",
  });
});

test("what a specification may not say is refused by its place", () => {
  const good = { cdiVersion: "0.6.0", kind: "v.com/c", devices: [{ name: "d", containerEdits: {} }] };
  const edits = (containerEdits: object) => ({ ...good, containerEdits });
  const cases: readonly [unknown, RegExp][] = [
    [[], /the file is no map/],
    [{ ...good, cdiVersion: "9.9.9" }, /cdiVersion 9.9.9 is not known/],
    [{ ...good, kind: "vendor" }, /is not vendor\/class/],
    [{ ...good, devices: [] }, /devices is empty/],
    [{ ...good, devices: [{ name: "-" }] }, /devices\[0\]\.name "-"/],
    [{ ...good, devices: [{ name: "d" }, { name: "d" }] }, /devices\[1\]\.name "d" is there twice/],
    [{ ...good, extra: 1 }, /field extra/],
    [edits({ intelRdt: {} }), /containerEdits has a field intelRdt/],
    [edits({ env: ["=x"] }), /containerEdits\.env\[0\] "=x"/],
    [edits({ deviceNodes: [{ path: "dev/x" }] }), /deviceNodes\[0\]\.path "dev\/x" is no absolute path/],
    [edits({ deviceNodes: [{ path: "/x", type: "z" }] }), /type "z"/],
    [edits({ deviceNodes: [{ path: "/x", permissions: "q" }] }), /permissions "q"/],
    [edits({ deviceNodes: [{ path: "/x", major: -1 }] }), /major is no whole number/],
    [edits({ hooks: [{ hookName: "never", path: "/x" }] }), /hookName "never" is no hook/],
    [edits({ mounts: [{ hostPath: "/x" }] }), /mounts\[0\]\.containerPath is no text/],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => parseCdiSpec(JSON.stringify(value), "f.json"), { code: "InvalidArgument", message });
  }
  fc.assert(
    fc.property(fc.string(), fc.constantFrom("f.json", "f.yaml"), (source, name) => {
      assert.throws(() => parseCdiSpec(source, name), { code: "InvalidArgument" });
    }),
  );
  for (const name of ["vendor.com/class=a", "v/c=0", "a.b/c-d=x:y_z"]) assert.ok(parseQualifiedDevice(name), name);
  for (const name of ["", "a=b", "/c=d", "v/c=", "v/c=-", "v/c=a=b", "1/c=a", "v/c/d=a"]) {
    assert.equal(parseQualifiedDevice(name), undefined, name);
  }
});

test("GPUs come by device specifications, else by NVIDIA's hook, else not", async () => {
  using box = directory();
  const none = await CdiDevices.read([], silentLogger);
  const gpu = { count: -1, capabilities: [["gpu"]] };
  await assert.rejects(editsOfDrivers([gpu], { devices: none, path: box.path }), {
    code: "InvalidArgument",
    message: 'could not select device driver "" with capabilities: [[gpu]]',
  });
  await assert.rejects(
    editsOfDrivers([{ driver: "amd", capabilities: [["gpu", "utility"], ["x"]] }], { devices: none, path: "" }),
    { message: 'could not select device driver "amd" with capabilities: [[gpu utility] [x]]' },
  );
  const hook = box.join("nvidia-container-runtime-hook");
  writeFileSync(hook, "#!/bin/sh\n");
  chmodSync(hook, 0o755);
  const byHook = async (request: object) =>
    editsOfDrivers([{ capabilities: [["gpu"]], ...request }], { devices: none, path: `relative:${box.path}` });
  assert.deepEqual((await byHook({ count: -1 })).env, ["NVIDIA_VISIBLE_DEVICES=all"]);
  assert.deepEqual((await byHook({ count: 2, capabilities: [["utility", "gpu"]] })).env, [
    "NVIDIA_VISIBLE_DEVICES=0,1",
    "NVIDIA_DRIVER_CAPABILITIES=utility",
  ]);
  const { env, hooks } = await byHook({ deviceIds: ["GPU-1", "3"] });
  assert.deepEqual(env, ["NVIDIA_VISIBLE_DEVICES=GPU-1,3"]);
  assert.deepEqual([hooks[0]?.path, hooks[0]?.args], [hook, ["nvidia-container-runtime-hook", "prestart"]]);
  await assert.rejects(byHook({ count: 1, deviceIds: ["0"] }), /cannot set both Count and DeviceIDs/);

  const devices = ["0", "1", "all"].map((name) => ({ name, containerEdits: { env: [`GPU=${name}`] } }));
  writeFileSync(box.join("nvidia.json"), JSON.stringify({ cdiVersion: "0.5.0", kind: "nvidia.com/gpu", devices }));
  const host = { devices: await CdiDevices.read([box.path], silentLogger), path: box.path };
  const env2 = async (request: object) =>
    (await editsOfDrivers([{ capabilities: [["gpu"]], ...request }], host)).env.join();
  assert.equal(await env2({ count: -1 }), "GPU=all");
  assert.equal(await env2({ count: 2 }), "GPU=0,GPU=1");
  assert.equal(await env2({ deviceIds: ["1"] }), "GPU=1");
  await assert.rejects(env2({ count: 3 }), /unresolvable CDI devices nvidia.com\/gpu=2/);
});
