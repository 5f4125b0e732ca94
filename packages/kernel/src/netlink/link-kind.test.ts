import assert from "node:assert/strict";
import { test } from "node:test";
import { createLinkRequest } from "./link.ts";
import type { LinkKind } from "./link-kind.ts";

/**
 * Kinds of links of which many kernels have none: what is asked for must be what iproute2 6.1 asks for, as strace showed
 * it for `ip link add link lo name NAME type …`, from `struct ifinfomsg` on.
 */
const RECORDED: readonly (readonly [what: string, name: string, kind: LinkKind, message: string])[] = [
  [
    "ipvlan mode l3 private",
    "iv0",
    { kind: "ipvlan", parent: 1, mode: "l3", flag: "private" },
    "00000000000000000000000000000000 0800050001000000 0800030069763000 " +
      "24001200 0a0001006970766c616e0000 14000200 0600010001000000 0600020001000000",
  ],
  [
    "ipvlan mode l2 bridge",
    "iv1",
    { kind: "ipvlan", parent: 1 },
    "00000000000000000000000000000000 0800050001000000 0800030069763100 " +
      "24001200 0a0001006970766c616e0000 14000200 0600010000000000 0600020000000000",
  ],
  [
    "vlan id 50",
    "vl0",
    { kind: "vlan", parent: 1, id: 50 },
    "00000000000000000000000000000000 0800050001000000 08000300766c3000 " +
      "18001200 08000100766c616e 0c000200 0600010032000000",
  ],
  [
    "macvlan mode bridge",
    "mv0",
    { kind: "macvlan", parent: 1, mode: "bridge" },
    "00000000000000000000000000000000 0800050001000000 080003006d763000 " +
      "1c001200 0b0001006d6163766c616e00 0c000200 0800010004000000",
  ],
];

const HEADER = 16;
const NESTED = 0x8000;
const LINK_INFO = 18;
const INFO_KIND = 1;
const INFO_DATA = 2;

/** Attributes by number, as hexadecimal; a text may end in a zero byte or not. */
function attributes(bytes: Buffer, path: readonly number[] = []): Readonly<Record<number, unknown>> {
  const found: Record<number, unknown> = {};
  for (let at = 0; at < bytes.length; at += (bytes.readUInt16LE(at) + 3) & ~3) {
    const type = bytes.readUInt16LE(at + 2) & ~NESTED;
    const value = bytes.subarray(at + 4, at + bytes.readUInt16LE(at));
    const here = [...path, type];
    const isNested = here.join() === String(LINK_INFO) || here.join() === `${LINK_INFO},${INFO_DATA}`;
    const isText = here.join() === `${LINK_INFO},${INFO_KIND}`;
    if (isNested) found[type] = attributes(value, here);
    else found[type] = isText ? value.toString().replace(/\0$/, "") : value.toString("hex");
  }
  return found;
}

for (const [what, name, kind, recorded] of RECORDED) {
  test(`a link of ${what} is asked for as by ip`, () => {
    const wanted = Buffer.from(recorded.replaceAll(" ", ""), "hex");
    const payload = Buffer.from(createLinkRequest({ name, kind }).payload ?? []);
    assert.deepEqual(payload.subarray(0, HEADER), wanted.subarray(0, HEADER));
    assert.deepEqual(attributes(payload.subarray(HEADER)), attributes(wanted.subarray(HEADER)));
  });
}
