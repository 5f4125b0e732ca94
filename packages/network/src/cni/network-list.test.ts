import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { systemClock } from "@boxship/base";
import type { NetworkManager } from "../manager.ts";
import { bridgeList, cniPlugins } from "../testing/cni.ts";
import { newId, TestHost } from "../testing/host.ts";
import { parseNetworkList } from "./configuration.ts";
import { addToList, checkInList, deleteFromList, hasCapability } from "./network-list.ts";
import type { CniAttachment } from "./plugin.ts";

const LEASES = `/tmp/boxship-cni-${process.pid}`;

describe("lists of CNI plugins", { skip: cniPlugins === "" && "the reference plugins are not here" }, () => {
  const plugins = { directories: [cniPlugins], clock: systemClock };
  let host: TestHost;
  let manager: NetworkManager;

  before(async () => {
    host = new TestHost();
    manager = await host.open();
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
    rmSync(LEASES, { recursive: true, force: true });
  });

  async function attachment(more: Partial<CniAttachment> = {}): Promise<CniAttachment> {
    const id = newId();
    const { path } = await manager.createSandbox(id, { hostname: "c" });
    return { containerId: id, namespace: path, interfaceName: "eth0", capabilities: {}, args: {}, ...more };
  }

  it("plugins get the values of the capabilities that they declare: portmap publishes", async () => {
    const list = parseNetworkList(bridgeList("ports", "10.69.0.0/24"), "ports");
    assert.deepEqual([hasCapability(list, "portMappings"), hasCapability(list, "bandwidth")], [true, false]);
    const portMappings = [{ hostPort: 8300, containerPort: 80, protocol: "tcp" }];
    const one = await attachment({ capabilities: { portMappings, bandwidth: { ingressRate: 1 } } });
    const result = await addToList(plugins, list, one);
    host.serveTcp(one.namespace, 80, "one");
    assert.equal(await host.askTcp("203.0.113.1", 8300, host.outside), "one 203.0.113.9");
    // portmap 1.1 looks for rules of IPv6 that it does not make for an address of IPv4.
    const bridge = { ...list, plugins: list.plugins.slice(0, 1) };
    await checkInList(plugins, bridge, one, result);
    await deleteFromList(plugins, list, one, result);
    assert.equal(await host.succeeds("nc -w 1 203.0.113.1 8300 </dev/null", host.outside), false);
    await assert.rejects(checkInList(plugins, bridge, one, result), {
      code: "FailedPrecondition",
      message: /at CHECK/,
    });
    // Again, with less known each time.
    await deleteFromList(plugins, list, one, undefined);
    await deleteFromList(plugins, list, { ...one, namespace: "" }, undefined);
  });

  it("when one fails, those before it are undone", async () => {
    const broken = bridgeList("broken", "10.70.0.0/24").replace('"type":"portmap"', '"type":"host-device"');
    const list = parseNetworkList(broken, "broken");
    const one = await attachment();
    await assert.rejects(addToList(plugins, list, one), { message: /^CNI plugin host-device failed at ADD: / });
    assert.deepEqual(
      readdirSync(`${LEASES}/broken`).filter((file) => /^\d+\./.test(file)),
      [],
    );
    assert.equal(await host.succeeds("ip link show dev eth0", one.namespace), false);
    await assert.rejects(addToList({ ...plugins, directories: ["/nonexistent"] }, list, one), { code: "NotFound" });
  });
});
