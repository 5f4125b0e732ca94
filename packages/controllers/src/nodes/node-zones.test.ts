import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "../types/sets.ts";
import { NodeZones } from "./node-zones.ts";

const node = (name: string, zone: string, ready: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
  status: { conditions: [{ type: "Ready", status: ready }] },
});

function fill(zones: NodeZones, zone: string, well: number, unwell: number): Node {
  for (let at = 0; at < well + unwell; at++) zones.set(node(`${zone}-${at}`, zone, at < well ? "True" : "Unknown"));
  return node(`${zone}-${well}`, zone, "Unknown");
}

test("nodes of a zone are given up one after the other, each zone for itself", () => {
  const zones = new NodeZones();
  const [one, two] = [fill(zones, "a", 3, 2), fill(zones, "b", 3, 2)];
  assert.ok(zones.patience(one, 0) <= 0);
  zones.executed(one, 0);
  assert.equal(zones.patience(one, 0), 10_000);
  assert.ok(zones.patience(one, 10_000) <= 0);
  assert.ok(zones.patience(two, 0) <= 0);
});

test("where most of a zone is silent, small ones wait, large ones are slow, and what is silent as a whole is gone", () => {
  const zones = new NodeZones();
  const [small, large] = [fill(zones, "small", 4, 6), fill(zones, "large", 30, 40)];
  assert.equal(zones.patience(small, 0), 10_000, "as long as it is so");
  assert.ok(zones.patience(large, 0) <= 0);
  zones.executed(large, 0);
  assert.equal(zones.patience(large, 0), 100_000);
  const gone = fill(zones, "gone", 0, 6);
  assert.ok(zones.patience(gone, 0) <= 0);
  zones.executed(gone, 0);
  assert.equal(zones.patience(gone, 0), 10_000);
  // Two of three are too few to tell.
  assert.ok(zones.patience(fill(zones, "tiny", 1, 2), 0) <= 0);
});

test("where no node of any zone is well, all stays; and counts follow nodes that change or go", () => {
  const zones = new NodeZones();
  const lost = fill(zones, "a", 1, 1);
  zones.set(node("a-0", "a", "False"));
  assert.equal(zones.patience(lost, 0), 10_000);
  zones.set(node("c-0", "c", "True"));
  assert.ok(zones.patience(lost, 0) <= 0);
  zones.delete("c-0");
  assert.equal(zones.patience(lost, 0), 10_000);
  zones.set(node("a-0", "b", "True"));
  assert.ok(zones.patience(lost, 0) <= 0, "it has moved to another zone");
});

test("nodes that are not to count for disruptions do not", () => {
  const zones = new NodeZones();
  const lost = fill(zones, "a", 1, 1);
  const [well] = [node("a-0", "a", "True")];
  well.metadata.labels = { ...well.metadata.labels, "node.kubernetes.io/exclude-disruption": "" };
  zones.set(well);
  assert.equal(zones.isAnyWell, false);
  assert.equal(zones.patience(lost, 0), 10_000);
});
