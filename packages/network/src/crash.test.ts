import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  findLink,
  findMounts,
  inNamespace,
  listAddresses,
  listLinks,
  NetlinkSocket,
  openNamespace,
} from "@boxship/kernel";
import type { NetworkManager } from "./manager.ts";
import { isOwnLinkName } from "./names.ts";
import { container, TestHost } from "./testing/host.ts";

const CHURN = fileURLToPath(new URL("./testing/churn.ts", import.meta.url));

describe("after kill -9", () => {
  let host: TestHost;

  before(() => {
    host = new TestHost();
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  /** Lets another process work with the manager's state for a while, and kills it. */
  async function churn(milliseconds: number): Promise<void> {
    const { root, runDir, name } = host.options();
    const words = ["--disable-warning=ExperimentalWarning", CHURN, JSON.stringify({ root, runDir, name })];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  function ownLinks(): string[] {
    using route = new NetlinkSocket();
    return listLinks(route).flatMap(({ name }) => (isOwnLinkName("boxt", name) ? [name] : []));
  }

  /** Links go a moment after their namespaces. */
  async function settled(expected: number): Promise<string[]> {
    for (let attempt = 0; attempt < 100 && ownLinks().length !== expected; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return ownLinks();
  }

  async function checkAgreement(manager: NetworkManager): Promise<void> {
    const sandboxes = manager.listSandboxes();
    const files = new Set(readdirSync(`${host.options().runDir}/netns`));
    for (const { path, endpoints } of sandboxes) {
      assert.ok(files.has(path.split("/").at(-1) ?? ""));
      using namespace = openNamespace(path);
      const inside = inNamespace(namespace, "net", () => {
        using route = new NetlinkSocket();
        const links = new Map(listLinks(route).map((link) => [link.index, link.name]));
        return listAddresses(route).map(({ link, address }) => `${links.get(link)} ${address}`);
      });
      for (const { interfaceName, ipv4, ipv6 } of endpoints) {
        assert.ok(inside.includes(`${interfaceName} ${ipv4?.address}`), inside.join());
        if (ipv6 !== undefined) assert.ok(inside.includes(`${interfaceName} ${ipv6.address}`), inside.join());
      }
    }
    const addresses = sandboxes.flatMap(({ endpoints }) => endpoints.map(({ ipv4 }) => ipv4?.address));
    assert.equal(new Set(addresses).size, addresses.length);
    const bridges = manager.listNetworks().flatMap(({ interfaceName }) => interfaceName ?? []);
    const interfaces = sandboxes.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
    const links = await settled(bridges.length + interfaces);
    assert.equal(links.length, bridges.length + interfaces, links.join());
    for (const bridge of bridges) assert.ok(links.includes(bridge));
    const map = await host.run("nft list map inet boxt-net any4");
    const published = map.match(/: 172\.|: 192\./g)?.length ?? 0;
    assert.equal(
      published,
      sandboxes.flatMap(({ ports }) => ports.filter(({ hostIP }) => hostIP === "0.0.0.0")).length,
    );
  }

  for (const milliseconds of [0, 15, 60, 150, 400]) {
    it(`${milliseconds} ms into a storm, records and kernel agree again`, async () => {
      await churn(milliseconds);
      const manager = await host.open();
      await checkAgreement(manager);
      const live = manager.listSandboxes().filter((_, index) => index % 2 === 0);
      await manager.reconcile(live.map(({ id }) => id));
      assert.deepEqual(
        manager.listSandboxes().map(({ id }) => id),
        live.map(({ id }) => id),
      );
      await checkAgreement(manager);
      const fresh = await container(manager, "fresh");
      assert.ok(await host.succeeds(`ping -c 3 -W 4 ${fresh.ipv4}`));
      await manager.removeSandbox(fresh.id);
      await manager[Symbol.asyncDispose]();
    });
  }

  it("destroying it all leaves nothing on the host", async () => {
    const manager = await host.open();
    await container(manager, "last");
    await manager.destroy();
    assert.deepEqual(await settled(0), []);
    assert.equal(await host.run("nft list tables"), "");
    const { runDir, root } = host.options();
    assert.deepEqual(readdirSync(runDir), []);
    assert.deepEqual(readdirSync(root), []);
    assert.deepEqual(findMounts(runDir), []);
    using route = new NetlinkSocket();
    assert.equal(findLink(route, "boxt0"), undefined);
  });
});
