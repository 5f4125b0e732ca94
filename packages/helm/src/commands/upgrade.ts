import { NotFound } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool } from "../flags.ts";
import { historyFlags } from "../release-flags.ts";
import { checkReleaseName } from "../render-flags.ts";
import { failingAs, installRelease, openDeployment } from "./deploy.ts";
import { deployFlags } from "./install.ts";

export const command = defineCommand({
  usage: "RELEASE CHART [flags]",
  summary: "Bring a release to another version of its chart or other values",
  operands: { min: 2, max: 2 },
  flags: {
    ...deployFlags,
    ...historyFlags,
    install: bool(false, { short: "i" }),
    "reset-then-reuse-values": bool(),
    "reset-values": bool(),
    "reuse-values": bool(),
  },
  async run(surroundings, { flags, operands }) {
    const [name = "", reference = ""] = operands;
    checkReleaseName(name);
    const opened = await openDeployment(surroundings, flags, reference);
    await failingAs("UPGRADE FAILED", () =>
      installRelease(surroundings, flags, name, opened, (history) => {
        const last = history.at(-1);
        const none = last === undefined || last.info.status === "uninstalled";
        if (none && !flags.install) {
          throw new NotFound(`${JSON.stringify(name)} has no deployed releases`, {
            remedy: "install it, or add --install",
          });
        }
      }),
    );
  },
});
