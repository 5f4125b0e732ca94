import { defineCommand } from "../command.ts";
import { eraseAuth, storeAuth } from "../credentials/registry-auth.ts";
import { Exit } from "../failure.ts";
import { kubeconfigOf } from "../shared/cluster-process.ts";
import { runProgram } from "../shared/run-program.ts";
import { serverAddress } from "./login.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Render, install and pack charts, in Helm's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  async run({ stdin, stdout, stderr, env, instance, config }, { operands }) {
    const { runHelm } = await import("@boxship/helm");
    // Who has no configuration at all means the cluster of this instance.
    const own = kubeconfigOf(instance, env);
    const surroundings = own === undefined ? env : { ...env, KUBECONFIG: own };
    const logins = {
      store: async (host: string, username: string, password: string): Promise<void> => {
        await storeAuth(await config(), { username, password, serveraddress: serverAddress(host) });
      },
      erase: async (host: string): Promise<void> => void (await eraseAuth(await config(), serverAddress(host))),
    };
    const status = await runHelm(operands, { stdin, stdout, stderr, env: surroundings, run: runProgram, logins });
    if (status !== 0) throw new Exit(status);
  },
});
