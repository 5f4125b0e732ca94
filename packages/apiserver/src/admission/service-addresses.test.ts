import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../testing/api-under-test.ts";

const SERVICES = "/api/v1/namespaces/default/services";

test("services get addresses of the families that they ask for", async (t) => {
  await using api = await startApi({ serviceNetworks: ["10.97.0.0/16", "fd00:97::/112"] });
  let count = 0;
  const create = async (spec: object, rest: object = {}) => {
    const body = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: `service-${count++}` },
      spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...spec },
      ...rest,
    };
    return await api.call("POST", SERVICES, { body });
  };
  const given = async (spec: object) => {
    const { status, json } = await create(spec);
    assert.equal(status, 201, JSON.stringify(json));
    return json.spec;
  };
  const refused = async (spec: object, words: RegExp): Promise<void> => {
    const { status, json } = await create(spec);
    assert.equal(status, 422, JSON.stringify(json));
    assert.match(json.message, words);
  };
  const four = /^10\.97\.\d+\.\d+$/;
  const six = /^fd00:97::[0-9a-f]+$/;

  await t.test("one by default, of the first network", async () => {
    const spec = await given({});
    assert.match(spec.clusterIP, four);
    assert.deepEqual(spec.clusterIPs, [spec.clusterIP]);
    assert.deepEqual([spec.ipFamilies, spec.ipFamilyPolicy], [["IPv4"], "SingleStack"]);
    const own = await api.call("GET", `${SERVICES}/kubernetes`);
    assert.equal(own.json.spec.clusterIP, "10.97.0.1");
  });

  await t.test("of the other family, or of both in either order", async () => {
    const other = await given({ ipFamilies: ["IPv6"] });
    assert.match(other.clusterIP, six);
    assert.equal(other.ipFamilyPolicy, "SingleStack");
    for (const policy of ["PreferDualStack", "RequireDualStack"]) {
      const both = await given({ ipFamilyPolicy: policy });
      assert.deepEqual(both.ipFamilies, ["IPv4", "IPv6"]);
      assert.match(both.clusterIPs[0], four);
      assert.match(both.clusterIPs[1], six);
    }
    const turned = await given({ ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv6", "IPv4"] });
    assert.match(turned.clusterIP, six);
    assert.match(turned.clusterIPs[1], four);
    const chosen = await given({ clusterIP: "fd00:97::5", ipFamilyPolicy: "RequireDualStack" });
    assert.deepEqual(chosen.ipFamilies, ["IPv6", "IPv4"]);
    assert.equal(chosen.clusterIPs[0], "fd00:97::5");
  });

  await t.test("headless ones have families alone", async () => {
    const selecting = await given({ clusterIP: "None" });
    assert.deepEqual([selecting.clusterIPs, selecting.ipFamilies], [["None"], ["IPv4"]]);
    const free = await given({ clusterIP: "None", selector: undefined });
    assert.deepEqual([free.ipFamilyPolicy, free.ipFamilies], ["RequireDualStack", ["IPv4", "IPv6"]]);
  });

  await t.test("what cannot be is refused", async () => {
    await refused({ clusterIP: "fd00:97::5" }, /failed to allocate IP fd00:97::5: provided IP is already allocated/);
    await refused({ clusterIP: "10.98.0.1" }, /10\.98\.0\.1\) is not in the valid range\. .* is 10\.97\.0\.0\/16/);
    await refused({ clusterIPs: ["10.97.1.1", "fd00:97::6"] }, /when multiple cluster IPs are specified/);
    await refused({ ipFamilies: ["IPv4", "IPv6"] }, /when multiple IP families are specified/);
    await refused({ clusterIP: "10.97.1.1", ipFamilies: ["IPv6"] }, /expected an IPv6 value/);
    await refused({ clusterIPs: ["10.97.1.1", "10.97.1.2"] }, /may specify no more than one IP for each IP family/);
    await refused({ ipFamilies: ["IPv5"] }, /spec\.ipFamilies\[0\]/);
    await refused({ ipFamilyPolicy: "Both" }, /spec\.ipFamilyPolicy/);
    await refused({ loadBalancerSourceRanges: ["10.0.0.0/33"] }, /must be a valid CIDR value/);
  });

  await t.test("an update adds the second and takes it away, and keeps all that it does not name", async () => {
    const before = await create({});
    const { name } = before.json.metadata;
    const path = `${SERVICES}/${name}`;
    const headers = { "content-type": "application/merge-patch+json" };
    const patch = async (spec: object) => await api.call("PATCH", path, { headers, body: { spec } });
    const both = await patch({ ipFamilyPolicy: "PreferDualStack" });
    assert.equal(both.json.spec.clusterIPs[0], before.json.spec.clusterIP);
    assert.match(both.json.spec.clusterIPs[1], six);
    const { clusterIP: _, clusterIPs: _list, ipFamilies: _families, ipFamilyPolicy: _policy, ...rest } = both.json.spec;
    const { resourceVersion } = both.json.metadata;
    const body = { ...both.json, metadata: { name, resourceVersion }, spec: rest };
    const put = await api.call("PUT", path, { body });
    assert.deepEqual(put.json.spec.clusterIPs, both.json.spec.clusterIPs);
    assert.deepEqual(put.json.spec.ipFamilies, ["IPv4", "IPv6"]);
    const less = await patch({ clusterIPs: [before.json.spec.clusterIP] });
    assert.match(less.json.message, /must be 'SingleStack' to release the secondary cluster IP/);
    const single = await patch({ ipFamilyPolicy: "SingleStack" });
    assert.deepEqual(single.json.spec.clusterIPs, [before.json.spec.clusterIP]);
    assert.deepEqual(single.json.spec.ipFamilies, ["IPv4"]);
    // Which is free again.
    const taken = await given({ clusterIP: both.json.spec.clusterIPs[1] });
    assert.deepEqual(taken.ipFamilies, ["IPv6"]);
  });

  await t.test("a balancer's service with local endpoints has a port that tells of its health", async () => {
    const spec = await given({ type: "LoadBalancer", externalTrafficPolicy: "Local" });
    assert.ok(spec.healthCheckNodePort >= 30000);
    assert.equal((await given({ type: "LoadBalancer" })).healthCheckNodePort, undefined);
    await refused(
      { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: spec.healthCheckNodePort },
      /spec\.healthCheckNodePort: Invalid value: \d+: provided port is already allocated/,
    );
  });
});

test("a cluster of one family gives no other", async () => {
  await using api = await startApi();
  const create = async (spec: object) => {
    const body = { apiVersion: "v1", kind: "Service", metadata: { generateName: "s" }, spec };
    return (await api.call("POST", SERVICES, { body })).json;
  };
  const base = { ports: [{ port: 80 }], selector: { app: "web" } };
  assert.deepEqual((await create({ ...base, ipFamilyPolicy: "PreferDualStack" })).spec.ipFamilies, ["IPv4"]);
  const demanded = await create({ ...base, ipFamilyPolicy: "RequireDualStack" });
  assert.match(demanded.message, /this cluster is not configured for dual-stack services/);
  assert.match((await create({ ...base, ipFamilies: ["IPv6"] })).message, /not configured on this cluster/);
  assert.match((await create({ ...base, clusterIP: "fd00::1" })).message, /IPv6 is not configured on this cluster/);
});
