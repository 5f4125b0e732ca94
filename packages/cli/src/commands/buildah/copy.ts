import { copyCommand } from "../../buildah/copy-command.ts";

export const command = copyCommand("copy", "Copy content into a working container");
