import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDriverOptions } from "./driver-options.ts";

describe("driver options", () => {
  it("of a bridge", () => {
    const settings = parseDriverOptions("bridge", {
      "com.docker.network.bridge.name": "br-mine",
      "com.docker.network.bridge.enable_icc": "false",
      "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
      "com.docker.network.driver.mtu": "1400",
      "com.docker.network.container_iface_prefix": "net",
      "com.docker.network.bridge.gateway_mode_ipv4": "nat",
      "com.boxship.network.names": "false",
    });
    assert.deepEqual(settings, {
      driver: "bridge",
      bridgeName: "br-mine",
      interContainer: false,
      masquerade: true,
      hostBinding: "127.0.0.1",
      names: false,
      mtu: 1400,
      interfacePrefix: "net",
    });
  });

  it("of macvlan and ipvlan", () => {
    const common = { parent: "eth0.7", mtu: undefined, interfacePrefix: "eth" };
    assert.deepEqual(parseDriverOptions("macvlan", { parent: "eth0.7", macvlan_mode: "private" }), {
      driver: "macvlan",
      mode: "private",
      ...common,
    });
    assert.deepEqual(parseDriverOptions("ipvlan", { parent: "eth0.7", ipvlan_mode: "l3", ipvlan_flag: "vepa" }), {
      driver: "ipvlan",
      mode: "l3",
      flag: "vepa",
      ...common,
    });
  });

  it("unknown ones, bad values and what is not done are refused by name", () => {
    const refuse = (driver: "bridge" | "macvlan" | "host", name: string, value: string, code: string): void => {
      assert.throws(
        () => parseDriverOptions(driver, { [name]: value }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, code);
          assert.ok(error.message.includes(name), error.message);
          return true;
        },
      );
    };
    refuse("bridge", "com.example.colour", "blue", "InvalidArgument");
    refuse("bridge", "com.docker.network.driver.mtu", "many", "InvalidArgument");
    refuse("bridge", "com.docker.network.bridge.enable_icc", "maybe", "InvalidArgument");
    refuse("bridge", "com.docker.network.bridge.gateway_mode_ipv4", "routed", "Unsupported");
    refuse("macvlan", "macvlan_mode", "loud", "InvalidArgument");
    refuse("host", "parent", "eth0", "InvalidArgument");
  });
});
