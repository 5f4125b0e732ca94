import assert from "node:assert/strict";
import { SocketAddress } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressBytes, addressText, macBytes, macText } from "./ip-address.ts";

describe("IP addresses", () => {
  it("go to text and back", () => {
    const size = fc.constantFrom(4, 16);
    fc.assert(
      fc.property(
        size.chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
        (bytes) => {
          assert.deepEqual([...addressBytes(addressText(bytes))], [...bytes]);
        },
      ),
    );
  });

  it("have the same canonical text as inet_ntop gives", () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        // glibc writes ::/96 with an IPv4 tail, which RFC 5952 leaves open.
        fc.pre(groups.slice(0, 6).some((value) => value !== 0));
        const text = groups.map((value) => value.toString(16)).join(":");
        assert.equal(addressText(addressBytes(text)), new SocketAddress({ address: text, family: "ipv6" }).address);
      }),
    );
  });

  it("keep an IPv4 tail and refuse what is no address", () => {
    assert.equal(addressText(addressBytes("::ffff:1.2.3.4")), "::ffff:1.2.3.4");
    assert.equal(addressText(addressBytes("64:ff9b::1.2.3.4")), "64:ff9b::102:304");
    for (const text of ["", "1.2.3", "1.2.3.256", "::g", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9", "01.2.3.4"]) {
      assert.throws(() => addressBytes(text), { code: "InvalidArgument" });
    }
  });

  it("MAC addresses go to text and back", () => {
    assert.equal(macText(macBytes("02:42:AC-11:00:02")), "02:42:ac:11:00:02");
    assert.throws(() => macBytes("02:42:ac:11:00"), { code: "InvalidArgument" });
  });
});
