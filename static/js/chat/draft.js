// The message that an expired sign-in interrupted: kept in this tab for its writer alone, and given back once.

const KEY = "draft";

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null; // no storage, or not ours
  }
}

export function createDraft(user) {
  return {
    keep(conversation, text) {
      if (!text.trim()) return;
      try {
        sessionStorage.setItem(KEY, JSON.stringify({ user, conversation, text }));
      } catch {
        // without storage the text is lost
      }
    },
    /** The text kept for this conversation, or "". Somebody else's is thrown away unseen. */
    take(conversation) {
      const kept = stored();
      if (!kept || (kept.user === user && kept.conversation !== conversation)) return "";
      this.clear();
      return kept.user === user ? kept.text : "";
    },
    clear() {
      try {
        sessionStorage.removeItem(KEY);
      } catch {
        // nothing was kept
      }
    },
  };
}
