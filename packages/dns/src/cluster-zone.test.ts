import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Service, ServiceEndpointSlice } from "@boxship/client";
import { type Answer, type AnswerRecord, encodeName, parseQuestion, type Question, RecordType } from "@boxship/network";
import fc from "fast-check";
import { ClusterZone } from "./cluster-zone.ts";
import { dashed, nameService, undashed } from "./service-names.ts";

function question(name: string, type: number): Question {
  const head = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const asked = parseQuestion(Buffer.concat([head, encodeName(name), Buffer.of(type >> 8, type & 255, 0, 1)]));
  assert.ok(asked !== undefined);
  return asked;
}

function service(name: string, spec: Service["spec"]): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "prod" }, spec: spec ?? {} };
}

const PORTS = [
  { name: "http", port: 80 },
  { name: "dns", protocol: "UDP", port: 53 },
];

const SLICE: ServiceEndpointSlice = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "db-1", namespace: "prod" },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [
    { addresses: ["10.1.0.1"], hostname: "db-0", conditions: { ready: true } },
    { addresses: ["10.1.0.2"] },
    { addresses: ["10.1.0.3"], hostname: "db-2", conditions: { ready: false } },
  ],
};

const SERVICES = new Map([
  [
    "prod/web",
    nameService(service("web", { clusterIP: "10.96.0.5", clusterIPs: ["10.96.0.5", "fd00::5"], ports: PORTS }), []),
  ],
  ["prod/db", nameService(service("db", { clusterIP: "None", ports: [{ name: "http", port: 80 }] }), [SLICE])],
  ["prod/none", nameService(service("none", { clusterIP: "None" }), [])],
  ["prod/out", nameService(service("out", { type: "ExternalName", externalName: "Example.COM." }), [])],
]);

const zone = new ClusterZone({
  zone: "cluster.local",
  serial: () => 7,
  random: () => 0,
  content: {
    service: (key) => SERVICES.get(key),
    hasNamespace: (name) => name === "prod",
    namesOf: (address) => (address === "10.96.0.5" ? ["web.prod.svc"] : []),
  },
});

function ask(name: string, type: number): Answer {
  const answer = zone.answer(question(name, type));
  assert.ok(answer !== undefined && !("alias" in answer), name);
  return answer;
}

const text = (record: AnswerRecord): string => {
  if (record.type === "address") return record.address;
  if (record.type === "service") return `${record.priority} ${record.weight} ${record.port} ${record.name}`;
  return record.type === "text" ? record.text : record.type === "start" ? record.server : record.name;
};
const told = (name: string, type: number): string[] => ask(name, type).records.map(text);

/** Neither there nor somebody else's. */
function absent(name: string, type: number = RecordType.A): void {
  const { code, records, authority = [] } = ask(name, type);
  assert.deepEqual([code, records.length, authority[0]?.type], [3, 0, "start"], name);
}

/** There, with nothing of the type. */
function empty(name: string, type: number = RecordType.A): void {
  const { code, records, authority = [] } = ask(name, type);
  assert.deepEqual([code, records.length, authority[0]?.type], [0, 0, "start"], name);
}

describe("names of a cluster", () => {
  it("are those of services", () => {
    assert.deepEqual(told("web.prod.svc.cluster.local", RecordType.A), ["10.96.0.5"]);
    assert.deepEqual(told("WEB.prod.svc.cluster.LOCAL", RecordType.AAAA), ["fd00::5"]);
    assert.deepEqual(told("_http._tcp.web.prod.svc.cluster.local", RecordType.SRV), [
      "0 100 80 web.prod.svc.cluster.local",
    ]);
    const more = ask("_http._tcp.web.prod.svc.cluster.local", RecordType.SRV).additional ?? [];
    assert.deepEqual(more.map(text), ["10.96.0.5", "fd00::5"]);
    assert.equal(told("web.prod.svc.cluster.local", RecordType.SRV).length, 2);
    assert.deepEqual(told("5.0.96.10.in-addr.arpa", RecordType.PTR), ["web.prod.svc.cluster.local"]);
  });

  it("are those of endpoints of headless ones that are ready", () => {
    assert.deepEqual(told("db.prod.svc.cluster.local", RecordType.A), ["10.1.0.1", "10.1.0.2"]);
    assert.deepEqual(told("db-0.db.prod.svc.cluster.local", RecordType.A), ["10.1.0.1"]);
    assert.deepEqual(told("10-1-0-2.db.prod.svc.cluster.local", RecordType.A), ["10.1.0.2"]);
    absent("db-2.db.prod.svc.cluster.local");
    assert.deepEqual(told("_http._tcp.db.prod.svc.cluster.local", RecordType.SRV), [
      "0 50 8080 db-0.db.prod.svc.cluster.local",
      "0 50 8080 10-1-0-2.db.prod.svc.cluster.local",
    ]);
    empty("none.prod.svc.cluster.local");
  });

  it("are those of pods, by their addresses", () => {
    assert.deepEqual(told("10-1-0-9.prod.pod.cluster.local", RecordType.A), ["10.1.0.9"]);
    assert.deepEqual(told("fd00--9.prod.pod.cluster.local", RecordType.AAAA), ["fd00::9"]);
    empty("10-1-0-9.prod.pod.cluster.local", RecordType.AAAA);
    absent("10-1-0-9.other.pod.cluster.local");
    absent("10-1-0-900.prod.pod.cluster.local");
    absent("name.prod.pod.cluster.local");
  });

  it("stand for others, by aliases", () => {
    const answer = zone.answer(question("out.prod.svc.cluster.local", RecordType.A));
    assert.ok(answer !== undefined && "alias" in answer);
    assert.equal(answer.alias, "example.com");
    assert.deepEqual(told("out.prod.svc.cluster.local", RecordType.CNAME), ["example.com"]);
    absent("x.out.prod.svc.cluster.local");
  });

  it("tell what is not there from what has nothing of a type", () => {
    for (const name of ["", "svc.", "pod.", "prod.svc.", "prod.pod.", "_tcp.web.prod.svc."])
      empty(`${name}cluster.local`);
    for (const name of [
      "x",
      "other.svc",
      "x.prod.svc",
      "a.web.prod.svc",
      "_ftp._tcp.web.prod.svc",
      "a._b._c.web.prod.svc",
    ])
      absent(`${name}.cluster.local`);
    absent("_http._udp.web.prod.svc.cluster.local", RecordType.SRV);
    absent("_sctp.web.prod.svc.cluster.local");
    empty("_http._tcp.web.prod.svc.cluster.local");
    empty("web.prod.svc.cluster.local", RecordType.TXT);
    assert.deepEqual(told("dns-version.cluster.local", RecordType.TXT), ["1.1.0"]);
    assert.equal(ask("cluster.local", RecordType.SOA).records[0]?.type, "start");
    assert.deepEqual(told("cluster.local", RecordType.NS), ["ns.dns.cluster.local"]);
  });

  it("leave others to others", () => {
    for (const name of ["example.com", "xcluster.local", "local", "1.0.1.10.in-addr.arpa", "900.0.1.10.in-addr.arpa"])
      assert.equal(zone.answer(question(name, RecordType.PTR)), undefined, name);
  });

  it("never throw, whatever is asked, and addresses are labels and back", () => {
    const label = fc.constantFrom("web", "db", "prod", "svc", "pod", "_tcp", "_http", "db-0", "x", "10-1-0-1", "a--b");
    fc.assert(
      fc.property(fc.array(label, { maxLength: 6 }), fc.nat(300), (labels, type) => {
        const answer = zone.answer(question([...labels, "cluster", "local"].join("."), type));
        assert.ok(answer !== undefined);
      }),
    );
    fc.assert(fc.property(fc.ipV4(), (address) => assert.equal(undashed(dashed(address))?.address, address)));
    fc.assert(fc.property(fc.string({ maxLength: 40 }), (noise) => void undashed(noise)));
  });
});
