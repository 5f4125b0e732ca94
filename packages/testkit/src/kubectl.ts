import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Ran, type RunOptions, repositoryRoot, runProgram } from "./run-program.ts";

/** A program of Kubernetes that the setup unpacked, `kubectl` or `etcd`; undefined where there is none. */
export function kubernetesProgram(name: string): string | undefined {
  const path = resolve(repositoryRoot, `.cache/clients/root/usr/bin/${name}`);
  return existsSync(path) ? path : undefined;
}

/**
 * A runner of the real kubectl. Returns `undefined` where none is installed: such a test is skipped with that reason.
 *
 * @param home a directory of the test's own, where kubectl keeps what it discovered
 */
export function kubectl(
  kubeconfig: string,
  home: string,
): ((args: readonly string[], options?: RunOptions) => Promise<Ran>) | undefined {
  const program = kubernetesProgram("kubectl");
  if (program === undefined) return undefined;
  const env = { KUBECONFIG: kubeconfig, HOME: home };
  return (args, options = {}) => runProgram([program, ...args], { ...options, env: { ...env, ...options.env } });
}
