import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;

/** Sends a body as it is written: numbers beyond what a double holds, too. */
function post(path: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: "x", "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request({ socketPath: engine.socketPath, method: "POST", path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const LARGE = "4611686018427387904";
const NUL = "\\u0000";

/** JSON of one field, and what the answer says. */
const CONFIG: readonly (readonly [string, RegExp])[] = [
  [`"Env": ["A=b${NUL}c"]`, /ContainerConfig\.Env: .*NUL byte/],
  [`"Env": [null]`, /null in the list ContainerConfig\.Env/],
  [`"Env": ["=x"]`, /invalid environment variable: =x/],
  [`"WorkingDir": "/a${NUL}"`, /ContainerConfig\.WorkingDir/],
  [`"WorkingDir": "a"`, /the working directory 'a' is invalid, it needs to be an absolute path/],
  [`"Cmd": ["echo", "a${NUL}"]`, /ContainerConfig\.Cmd/],
  [`"Cmd": [null]`, /ContainerConfig\.Cmd/],
  [`"Entrypoint": ["/bin/sh${NUL}"]`, /ContainerConfig\.Entrypoint/],
  [`"Entrypoint": [null]`, /ContainerConfig\.Entrypoint/],
  [`"Labels": {"a${NUL}": "b"}`, /ContainerConfig\.Labels/],
  [`"Labels": {"a": "b${NUL}"}`, /ContainerConfig\.Labels/],
  [`"Hostname": "a${NUL}"`, /ContainerConfig\.Hostname/],
  [`"Hostname": "${"a".repeat(65)}"`, /invalid hostname: .*has 65 bytes, Linux takes 64/],
  [`"Domainname": "a${NUL}"`, /ContainerConfig\.Domainname/],
  [`"User": "a${NUL}"`, /ContainerConfig\.User/],
  [`"Volumes": {"/x${NUL}": {}}`, /ContainerConfig\.Volumes/],
  [`"StopSignal": "FOO"`, /Invalid signal: FOO/],
  [`"MacAddress": "zz"`, /address zz: invalid MAC address/],
  [`"Healthcheck": {"Test": ["CMD-SHELL", "a${NUL}"]}`, /NUL byte/],
];

const HOST: readonly (readonly [string, RegExp])[] = [
  [`"Binds": ["/tmp${NUL}:/x"]`, /HostConfig\.Binds/],
  [`"Binds": ["/tmp:/x${NUL}"]`, /HostConfig\.Binds/],
  [`"Mounts": [{"Type": "bind", "Source": "/tmp${NUL}", "Target": "/x"}]`, /Mount\.Source/],
  [`"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x${NUL}"}]`, /Mount\.Target/],
  [`"Mounts": [null]`, /null in the list HostConfig\.Mounts/],
  [`"Tmpfs": {"/x${NUL}": ""}`, /HostConfig\.Tmpfs/],
  [`"PidsLimit": 4194305`, /invalid pids limit 4194305/],
  [`"PidsLimit": 9223372036854775807`, /invalid pids limit/],
  [`"PidsLimit": 9223372036854775808`, /cannot unmarshal number .* of type int64/],
  [`"Memory": 1`, /minimum memory limit allowed is 6MB/],
  [`"Memory": -1`, /minimum memory limit allowed is 6MB/],
  [`"Memory": 9223372036854775808`, /cannot unmarshal number .* HostConfig\.Memory of type int64/],
  [`"MemorySwappiness": 101`, /valid memory swappiness range is 0-100/],
  [`"NanoCpus": ${LARGE}`, /range of CPUs is from 0\.01/],
  [`"CpuShares": 1`, /minimum allowed cpu-shares is 2/],
  [`"CpuShares": 262145`, /maximum allowed cpu-shares is 262144/],
  [`"CpuQuota": 17592186044416`, /CPU cfs quota can not be larger/],
  [`"CpuPeriod": ${LARGE}`, /CPU cfs period can not be/],
  [`"CpuRealtimePeriod": 1000, "CpuRealtimeRuntime": 2000`, /runtime cannot be higher than cpu real-time period/],
  [`"CpusetCpus": "1-0"`, /invalid format: 1-0/],
  [`"CpusetCpus": "0-99999999999999"`, /value out of range, maximum is 8192/],
  [`"CpusetMems": "99"`, /requested memory nodes are not available/],
  [`"BlkioWeight": 65536`, /HostConfig\.BlkioWeight of type uint16/],
  [`"BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": 1}]`, /block device \/dev\/null/],
  [`"OomScoreAdj": 1001`, /range for oom score adj is \[-1000, 1000\]/],
  [`"Ulimits": [{"Name": "nofile", "Soft": -5, "Hard": -5}]`, /invalid ulimit nofile: -5 is no limit/],
  [`"Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 2}]`, /soft limit must be less than or equal/],
  [`"Ulimits": [{"Name": "foo", "Soft": 5, "Hard": 5}]`, /invalid ulimit type: foo/],
  [`"ShmSize": -1`, /SHM size can not be less than 0/],
  [`"Sysctls": {"kernel.foo": "1"}`, /"kernel\.foo" is not in a separate kernel namespace/],
  [`"Sysctls": {"net.ipv4.nosuch": "1"}`, /"net\.ipv4\.nosuch" is not known to this kernel/],
  [`"Sysctls": {"net.ipv4/../../kernel.hostname": "x"}`, /is not known to this kernel/],
  [`"DeviceCgroupRules": ["x 1:2 rwm"]`, /invalid device cgroup rule format: 'x 1:2 rwm'/],
  [`"DeviceCgroupRules": ["c 4294967296:1 rwm"]`, /invalid device cgroup rule/],
  [`"CapAdd": ["FOO"]`, /invalid CapAdd: unknown capability: "CAP_FOO"/],
  [`"SecurityOpt": ["seccomp=a"]`, /decoding seccomp profile failed/],
  [`"ExtraHosts": ["a"]`, /bad format for add-host: "a"/],
  [`"ExtraHosts": ["a:b"]`, /invalid IP address in add-host: "b"/],
  [`"DnsOptions": ["a\\nnameserver 1.1.1.1"]`, /invalid dns-option/],
  [`"VolumesFrom": ["nosuch"]`, /No such container: nosuch/],
  [`"Links": ["nosuch:a"], "NetworkMode": "bridge"`, /could not get container for nosuch: No such container/],
  [`"NetworkMode": "nosuch"`, /network nosuch not found/],
];

/** Only the kernel knows that it does not take these. */
const AT_START: readonly (readonly [string, RegExp])[] = [
  [`"Tmpfs": {"/x": "size=abc"}`, /[Ii]nvalid argument/],
  [`"Tmpfs": {"/x": "frob"}`, /[Ii]nvalid argument/],
  [`"Sysctls": {"net.ipv4.ip_forward": "abc"}`, /refuses abc/],
  [`"Sysctls": {"kernel.shmmax": "99999999999999999999999"}`, /[Ii]nvalid argument/],
];

const TAKEN: readonly string[] = [
  `"Memory": 9223372036854775807`,
  `"Memory": ${LARGE}`,
  `"Memory": 10000000, "MemorySwap": ${LARGE}`,
  `"MemoryReservation": ${LARGE}`,
  `"CpuQuota": -5`,
  `"ShmSize": 9223372036854775807`,
  `"PidsLimit": -5`,
  `"Ulimits": [{"Name": "core", "Soft": 0, "Hard": 9223372036854775807}]`,
];

const bodyOf = (config: string, host: string) =>
  `{"Image": "${IMAGE}", "Cmd": ["true"]${config === "" ? "" : `, ${config}`}, "HostConfig": {${host === "" ? '"NetworkMode": "none"' : host.includes("NetworkMode") ? host : `"NetworkMode": "none", ${host}`}}}`;

const create = (config: string, host: string) => post("/v1.51/containers/create", bodyOf(config, host));

describe("what no kernel takes", {
  timeout: 120_000,
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd",
}, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(() => engine[Symbol.asyncDispose]());

  test("is refused when the container is created, by the name of its field", async () => {
    const given = [...CONFIG.map(([json, message]) => [json, "", message] as const)];
    for (const [config, host, message] of [...given, ...HOST.map(([json, said]) => ["", json, said] as const)]) {
      const { status, text } = await create(config, host);
      const expected = text.includes("is not supported") ? 501 : 400;
      assert.equal(status, expected, `${config}${host}: ${text}`);
      assert.match((JSON.parse(text) as { message: string }).message, message);
    }
    assert.deepEqual(await engine.client.json("GET", "/containers/json?all=1"), []);
  });

  test("or when it is started, and never as a fault of the engine", async () => {
    for (const [host, message] of AT_START) {
      const { status, text } = await create("", host);
      assert.equal(status, 201, text);
      const { Id } = JSON.parse(text) as { Id: string };
      const started = await engine.client.call("POST", `/containers/${Id}/start`);
      assert.equal(started.status, 400, `${host}: ${started.text}`);
      assert.match(started.text, message);
      await engine.client.json("DELETE", `/containers/${Id}`);
    }
  });

  test("what is large but has a meaning is taken", async () => {
    for (const host of TAKEN) {
      const { status, text } = await create("", host);
      assert.equal(status, 201, `${host}: ${text}`);
      const { Id } = JSON.parse(text) as { Id: string };
      const started = await engine.client.call("POST", `/containers/${Id}/start`);
      assert.equal(started.status, 204, `${host}: ${started.text}`);
      await engine.client.json("DELETE", `/containers/${Id}?force=1`);
    }
  });

  test("a stop that waits for ages does not kill at once", async () => {
    const { text } = await post(
      "/containers/create",
      `{"Image": "${IMAGE}", "Cmd": ["sh", "-c", "trap 'sleep 0.3; exit 7' TERM; echo ready; while :; do sleep 0.1; done"], "HostConfig": {"NetworkMode": "none"}}`,
    );
    const { Id } = JSON.parse(text) as { Id: string };
    await engine.client.json("POST", `/containers/${Id}/start`);
    // A signal that comes before the trap is ignored, as this is process 1.
    while ((await engine.client.call("GET", `/containers/${Id}/logs?stdout=1`)).text === "") await delay(20);
    await engine.client.json("POST", `/containers/${Id}/stop?t=2147483647`);
    assert.deepEqual(await engine.client.json("POST", `/containers/${Id}/wait`), { StatusCode: 7 });
    await engine.client.json("DELETE", `/containers/${Id}`);
  });
});
