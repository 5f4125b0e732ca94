import { cycloneDxDocument, spdxDocument } from "@boxship/scan";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { deliver, scanFlags, scanImage } from "../shared/scan-image.ts";

const FORMATS = ["spdx-json", "cyclonedx-json"];
const CYCLONEDX_VERSIONS = ["1.5", "1.6"] as const;

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "Write a bill of materials: the packages in an image of the engine, or of any place with its transport",
  flags: {
    ...scanFlags,
    "cyclonedx-version": text("Version of CycloneDX", { initial: "1.6", choices: CYCLONEDX_VERSIONS }),
    format: text("spdx-json or cyclonedx-json", { initial: "spdx-json", choices: FORMATS }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    const version = CYCLONEDX_VERSIONS.find((known) => known === flags["cyclonedx-version"]);
    if (version === undefined) throw new Failure(`CycloneDX ${flags["cyclonedx-version"]} is not supported`);
    if (!FORMATS.includes(flags.format)) throw new Failure(`unknown format ${JSON.stringify(flags.format)}`);
    const { inventory, subject } = await scanImage(context, flags, image);
    const spdx = flags.format === "spdx-json";
    const document = spdx ? spdxDocument(inventory, subject) : cycloneDxDocument(inventory, subject, version);
    await deliver(context, flags, image, {
      text: `${JSON.stringify(document, undefined, 2)}\n`,
      artifactType: spdx ? "application/spdx+json" : "application/vnd.cyclonedx+json",
    });
  },
});
