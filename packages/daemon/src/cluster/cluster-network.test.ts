import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { ownServiceAddresses, parseDomain, parseNetworks, parsePlugins, settleNetwork } from "./cluster-network.ts";

const PODS = ["10.244.0.0/16", "fd00:10:244::/56"];
const SERVICES = ["10.96.0.0/16", "fd00:10:96::/112"];

test("networks are one of IPv4, and one of IPv6 behind it", () => {
  assert.deepEqual(parseNetworks("pod-cidr", "10.244.0.0/16, FD00:0::/56"), ["10.244.0.0/16", "fd00::/56"]);
  assert.throws(() => parseNetworks("pod-cidr", "fd00::/56"), { code: "Unsupported", message: /--pod-cidr fd00/ });
  assert.throws(() => parseNetworks("pod-cidr", "fd00::/56,10.1.0.0/16"), { code: "Unsupported" });
  for (const wrong of ["", "10.1.0.0", "10.1.0.1/16", "10.1.0.0/16,10.2.0.0/16", "10.1.0.0/16,fd00::/56,fd01::/56"]) {
    assert.throws(() => parseNetworks("service-cidr", wrong), { code: "InvalidArgument", message: /--service-cidr/ });
  }
  assert.equal(parseDomain("Cluster.Example."), "cluster.example");
  for (const wrong of ["", "a..b", "-a", "a_b"]) assert.throws(() => parseDomain(wrong), { code: "InvalidArgument" });
});

test("plugins are named by their directories", async () => {
  const plugins = { directory: "/etc/cni/net.d", programs: ["/opt/cni/bin", "/usr/lib/cni"] };
  assert.deepEqual(parsePlugins("/etc/cni/net.d", "/opt/cni/bin, /usr/lib/cni"), plugins);
  assert.deepEqual(parsePlugins("none", undefined), "none");
  assert.throws(() => parsePlugins(undefined, "/opt/cni/bin"), { message: /--cni-bin-dir needs --cni-conf-dir/ });
  assert.throws(() => parsePlugins("none", "/opt/cni/bin"), { code: "InvalidArgument" });
  assert.throws(() => parsePlugins("net.d", undefined), { message: /--cni-conf-dir "net\.d" is no absolute path/ });
  await using directory = tempDir();
  const settle = async (asked: object) => (await settleNetwork(directory.path, asked, "test")).plugins;
  assert.equal(await settle({}), undefined);
  assert.deepEqual(await settle({ plugins }), plugins);
  assert.deepEqual(await settle({}), plugins);
  assert.equal(await settle({ plugins: "none" }), undefined);
  assert.equal(await settle({}), undefined);
});

test("a cluster stays where it was made", async () => {
  await using directory = tempDir();
  const settle = (asked: object) => settleNetwork(directory.path, asked, "test");
  await assert.rejects(settle({ services: SERVICES }), { message: /services of IPv6 need pods of IPv6/ });
  await assert.rejects(settle({ services: ["10.96.0.0/16"], pods: ["10.96.128.0/17"] }), { message: /overlaps/ });
  const first = await settle({ services: ["10.96.0.0/20"] });
  assert.deepEqual(first, { services: ["10.96.0.0/20"], domain: "cluster.local" });
  assert.deepEqual(ownServiceAddresses(first), { api: "10.96.0.1", dns: "10.96.0.10" });
  assert.deepEqual(await settle({}), first);
  for (const asked of [{ services: ["10.97.0.0/16"] }, { domain: "other.local" }]) {
    await assert.rejects(settle(asked), { code: "FailedPrecondition" });
  }
  // A second family may come later, and then stays.
  const both = await settle({ services: ["10.96.0.0/20", "fd00:10:96::/112"], pods: PODS });
  assert.deepEqual(await settle({}), both);
  await assert.rejects(settle({ services: ["10.96.0.0/20"] }), { code: "FailedPrecondition" });
});

test("one that is older than the choice has what there was", async () => {
  await using directory = tempDir();
  await mkdir(directory.join("pki"));
  await assert.rejects(settleNetwork(directory.path, { services: ["10.97.0.0/16"] }, "test"), {
    message: /services of this cluster are of 10\.96\.0\.0\/16/,
  });
  assert.deepEqual(await settleNetwork(directory.path, { pods: PODS }, "test"), {
    services: ["10.96.0.0/16"],
    domain: "cluster.local",
    pods: PODS,
  });
});
