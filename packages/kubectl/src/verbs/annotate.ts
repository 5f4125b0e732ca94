import { markCommand } from "./mark.ts";

export const command = markCommand("annotations", "annotate");
