import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { kubernetesProgram, runProgram } from "@boxship/testkit";

const skip = kubernetesProgram("kubectl") === undefined ? "kubectl cannot be had here" : false;

const ADDRESS = "10.77.0.1";

test("the API passes requests on to pods and services, through kubectl's proxy and ours", { skip }, async () => {
  // In a network of its own: no pod has an address of the loopback's.
  const network = `ip link set lo up && ip address add ${ADDRESS} dev lo && exec "$0" "$@"`;
  const program = join(import.meta.dirname, "../testing/proxied-process.ts");
  const run = ["unshare", "--net", "sh", "-c", network, process.execPath, program, ADDRESS];
  const { status, stdout, stderr } = await runProgram(run);
  assert.equal(status, 0, `${stdout}${stderr}`);
});
