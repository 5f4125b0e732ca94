import assert from "node:assert/strict";
import { freemem, totalmem } from "node:os";
import { test } from "node:test";
import {
  CAPABILITY_NAMES,
  capabilitySets,
  hasCapability,
  hostResources,
  isRoot,
  kernelAtLeast,
  kernelVersion,
  osRelease,
  seccompAvailable,
} from "./host.ts";

test("kernel versions", () => {
  const parts = (text: string) => [kernelVersion(text).major, kernelVersion(text).minor];
  assert.deepEqual(parts("6.1.0-18-amd64"), [6, 1]);
  assert.deepEqual(parts("5.15.153.1-microsoft-standard-WSL2"), [5, 15]);
  assert.throws(() => kernelVersion("unknown"), { code: "Internal" });
  assert.equal(kernelAtLeast(4, 18), true);
  assert.equal(kernelAtLeast(kernelVersion().major, kernelVersion().minor), true);
  assert.equal(kernelAtLeast(kernelVersion().major + 1, 0), false);
});

test("the distribution, with every kind of quoting", () => {
  const text = `NAME="Debian \\"GNU\\"/Linux"\nVERSION_ID='12'\nID=debian\n# comment\nBUG_REPORT_URL=\nx=1\n`;
  assert.deepEqual(osRelease(text), {
    NAME: 'Debian "GNU"/Linux',
    VERSION_ID: "12",
    ID: "debian",
    BUG_REPORT_URL: "",
  });
  assert.deepEqual(osRelease(""), {});
  assert.ok(typeof osRelease()["ID"] === "string");
});

test("capabilities from their masks", () => {
  const zero = "0000000000000000";
  const fields = { CapInh: zero, CapPrm: "000001ffffffffff", CapEff: "0000000000000021", CapBnd: zero, CapAmb: zero };
  const status = Object.entries(fields)
    .map(([name, mask]) => `${name}:\t${mask}\n`)
    .join("");
  const sets = capabilitySets(status);
  assert.deepEqual([...sets.effective], ["CAP_CHOWN", "CAP_KILL"]);
  assert.equal(sets.permitted.size, CAPABILITY_NAMES.length);
  assert.equal(sets.bounding.size, 0);
  assert.equal(CAPABILITY_NAMES.indexOf("CAP_SYS_RESOURCE"), 24);
  assert.throws(() => capabilitySets(""), { code: "Internal" });
});

test("this host", () => {
  assert.equal(isRoot(), process.geteuid?.() === 0);
  assert.equal(hasCapability("CAP_SYS_ADMIN"), capabilitySets().effective.has("CAP_SYS_ADMIN"));
  assert.equal(typeof seccompAvailable(), "boolean");
  const { memoryTotal, memoryAvailable, cpus } = hostResources();
  assert.equal(memoryTotal, totalmem());
  assert.ok(memoryAvailable > freemem() / 4 && cpus >= 1);
});
