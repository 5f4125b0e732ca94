import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger as logger } from "@boxship/base";
import { type ApiClient, Informer, loadKubeconfig, openHttpClient } from "@boxship/client";
import { startApiServer } from "@boxship/testkit";
import { WatchFaults } from "./watch-faults.ts";

const MAPS = { group: "", version: "v1", resource: "configmaps", namespace: "default" } as const;

test("watches that are held tell late, break, or begin anew without what came and went meanwhile", async () => {
  await using server = await startApiServer();
  await using client: ApiClient = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
  const faults = new WatchFaults();
  await using informer = new Informer({ client: faults.client(client), collection: MAPS, logger });
  const told: string[] = [];
  using _ = informer.handle({
    added: ({ metadata }) => void told.push(`+${metadata.name}`),
    deleted: ({ metadata }) => void told.push(`-${metadata.name}`),
  });
  informer.start();
  await informer.synced;
  told.length = 0;
  for (const how of ["told", "cut", "anew"] as const) {
    faults.hold("configmaps");
    const make = (name: string) =>
      client.create(MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `${how}-${name}` } });
    await make("brief");
    await client.delete({ ...MAPS, name: `${how}-brief` });
    await make("stays");
    assert.deepEqual(told, []);
    assert.equal((await faults.told(Promise.resolve(new Map([["configmaps", 1]])))).size, 0);
    assert.equal(await faults.end("configmaps", how), true);
    await informer.until(() => informer.get(`default/${how}-stays`) !== undefined);
    const brief = how === "anew" ? [] : [`+${how}-brief`, `-${how}-brief`];
    assert.deepEqual(told, [...brief, `+${how}-stays`]);
    told.length = 0;
  }
  assert.equal(await faults.end("configmaps", "cut"), false, "nothing is held");
});
