import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import { eraseAuth, storeAuth } from "../credentials/registry-auth.ts";
import { Exit } from "../failure.ts";
import { kubeconfigOf } from "../shared/cluster-process.ts";
import { runProgram } from "../shared/run-program.ts";
import { serverAddress } from "./login.ts";

/** Who has no configuration at all means the cluster of this instance. */
function helmEnvironment(instance: Context["instance"], env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = kubeconfigOf(instance, env);
  return own === undefined ? env : { ...env, KUBECONFIG: own };
}

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Render, install and pack charts, in Helm's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  async complete({ stdin, env, instance }, words) {
    const { completeHelm } = await import("@boxship/helm");
    const sink = { write: () => undefined };
    return await completeHelm(words, { stdin, stdout: sink, stderr: sink, env: helmEnvironment(instance, env) });
  },
  async run({ stdin, stdout, stderr, env, instance, config }, { operands }) {
    const { runHelm } = await import("@boxship/helm");
    const surroundings = helmEnvironment(instance, env);
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
