import { FailedPrecondition } from "@boxship/base/errors";
import { valueFlags } from "../cluster-flags.ts";
import { defineCommand } from "../command.ts";
import { bool, format } from "../flags.ts";
import { actionFlags, dryRunFlag, dryRunOf } from "../release-flags.ts";
import { chartFlags, nameFlags, releaseNameOf, renderFlags } from "../render-flags.ts";
import { failingAs, installRelease, openDeployment, showInstallation } from "./deploy.ts";

export const deployFlags = {
  ...valueFlags,
  ...chartFlags,
  ...renderFlags,
  ...actionFlags,
  ...dryRunFlag,
  "create-namespace": bool(),
  "hide-notes": bool(),
  "hide-secret": bool(),
  output: format,
  "skip-crds": bool(),
  "upgrade-crds": bool(),
};

export const command = defineCommand({
  usage: "[NAME] CHART [flags]",
  summary: "Install a chart",
  operands: { min: 1, max: 2 },
  flags: { ...deployFlags, ...nameFlags, replace: bool() },
  async run(surroundings, { flags, operands }) {
    await failingAs("INSTALLATION FAILED", async () => {
      const { name, reference } = releaseNameOf(operands, flags);
      if (dryRunOf(flags["dry-run"]) === "client") {
        await showInstallation(surroundings, flags, { name, reference });
        return;
      }
      const opened = await openDeployment(surroundings, flags, reference);
      // What an installation that failed was given does not come back: the command says all that counts.
      await installRelease(surroundings, { ...flags, "reset-values": true }, name, opened, (history) => {
        const last = history.at(-1);
        // One that never was deployed is begun again: so is one whose command died.
        const isFree =
          last === undefined ||
          (last.info.status === "uninstalled" && flags.replace) ||
          !history.some(({ info }) => ["deployed", "superseded", "uninstalling", "uninstalled"].includes(info.status));
        if (!isFree) {
          throw new FailedPrecondition("cannot re-use a name that is still in use", {
            remedy: `release ${name} is ${last.info.status}: use 'upgrade --install', or another name`,
          });
        }
      });
    });
  },
});
