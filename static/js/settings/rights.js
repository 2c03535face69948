// What the reader's role lets them change here. The page offers no more than that; what is allowed, the API decides.

import { $ } from "../dom.js";

const rights = $("[data-rights]").dataset.rights.split(" ");

export const mayHaveOwn = rights.includes("own");
export const mayShare = rights.includes("share");
export const mayChange = ({ shared }) => (shared ? mayShare : mayHaveOwn);
