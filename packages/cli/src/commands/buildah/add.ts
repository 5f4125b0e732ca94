import { copyCommand } from "../../buildah/copy-command.ts";

export const command = copyCommand("add", "Add content to a working container, archives unpacked");
