import assert from "node:assert/strict";
import { runProgram } from "@boxship/testkit";

/** Another host, as far as this machine can tell. */
export interface NetworkClient extends AsyncDisposable {
  readonly address: string;
  /** This machine, as it is seen there. */
  readonly machine: string;
  /** What a program prints there; nothing when it fails. */
  run(program: readonly string[]): Promise<string>;
}

export async function networkClient(): Promise<NetworkClient> {
  const name = `bxc${process.pid}`;
  const [machine, address] = ["198.51.100.1", "198.51.100.2"];
  const ip = async (...args: string[]) => {
    const { status, stderr } = await runProgram(["ip", ...args]);
    assert.equal(status, 0, `ip ${args.join(" ")}: ${stderr}`);
  };
  await ip("netns", "add", name);
  await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
  await ip("address", "add", `${machine}/30`, "dev", name);
  await ip("link", "set", name, "up");
  await ip("-n", name, "address", "add", `${address}/30`, "dev", "eth0");
  await ip("-n", name, "link", "set", "eth0", "up");
  return {
    address,
    machine,
    async run(program) {
      const { status, stdout } = await runProgram(["ip", "netns", "exec", name, ...program]);
      return status === 0 ? stdout : "";
    },
    [Symbol.asyncDispose]: () => ip("netns", "delete", name),
  };
}
