import assert from "node:assert/strict";
import { test } from "node:test";
import { negotiate } from "./accept.ts";

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

test("the first form that is spoken here is taken", () => {
  const form = (header?: string) => negotiate(header).form;
  assert.equal(form(undefined), "object");
  assert.equal(form("*/*"), "object");
  assert.equal(form(`${TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`), "table");
  assert.equal(form("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), "object");
  assert.equal(form("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"), "metadata");
  assert.equal(form("application/vnd.kubernetes.protobuf,application/json"), "object");
  assert.equal(negotiate("application/json;q=0.5, application/yaml").encoding, "yaml");
});

test("protobuf is to be had of objects, and of metadata, but not as tables", () => {
  const protobuf = "application/vnd.kubernetes.protobuf";
  const encoding = (header: string, offer: "objects" | "metadata") => negotiate(header, { protobuf: offer }).encoding;
  assert.equal(encoding(`${protobuf},application/json`, "objects"), "protobuf");
  assert.equal(encoding(`${protobuf},application/json`, "metadata"), "json");
  assert.equal(encoding(`${protobuf};as=Table;v=v1;g=meta.k8s.io,${TABLE}`, "objects"), "json");
  assert.equal(encoding(`${protobuf};as=PartialObjectMetadata;v=v1;g=meta.k8s.io,*/*`, "metadata"), "protobuf");
});

test("what cannot be had is refused", () => {
  for (const header of [
    "application/vnd.kubernetes.protobuf",
    "application/cbor",
    "text/html",
    "application/json;as=Chair",
  ]) {
    assert.throws(() => negotiate(header), /only the following media types are accepted/, header);
  }
});
