import { readFile } from "node:fs/promises";
import { systemCode } from "@boxship/base";
import { InvalidArgument } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, str } from "../flags.ts";
import { accessOf } from "../repository/fetch-bounded.ts";
import { pushChart } from "../repository/oci-charts.ts";

export const command = defineCommand({
  usage: "ARCHIVE oci://REGISTRY/PATH [flags]",
  summary: "Bring a packed chart to a registry",
  operands: { min: 2, max: 2 },
  flags: {
    "ca-file": str(),
    "cert-file": str(),
    "insecure-skip-tls-verify": bool(),
    "key-file": str(),
    password: str(),
    "plain-http": bool(),
    username: str(),
  },
  async run(surroundings, { flags, operands }) {
    const [path = "", address = ""] = operands;
    if (!address.startsWith("oci://"))
      throw new InvalidArgument(`scheme prefix missing from remote: ${address}`, {
        remedy: "name it as oci://REGISTRY/PATH",
      });
    const access = {
      ...accessOf({ ...flags, "pass-credentials": false }),
      plainHttp: flags["plain-http"],
      env: surroundings.io.env,
    };
    const provenance = await readFile(`${path}.prov`).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error;
      return undefined;
    });
    const { reference, digest } = await pushChart(await readFile(path), address, access, provenance);
    surroundings.print(`Pushed: ${reference}\nDigest: ${digest}`);
  },
});
