"""What of a conversation goes into a request when the model's window is too small for all of it.

The policy `trim`, in this order and no further than needed:

1. results of tools are shortened to their head and tail, the oldest first, all but those that the model has not seen yet;
2. whole turns are left out, the oldest first: a user's message with everything that answers it. One note stands in their place.
   The newest turn is never left out, and a call never parted from its result;
3. the results of the newest step are shortened, too.

The policy `refuse` leaves nothing out. What does not fit then is refused before it is sent. Stored messages are never touched.

Cuts lie on a grid of an eighth of the window, counted from the conversation's beginning, so that the beginning of the request stays
the same from step to step and run to run, and the provider's prompt cache goes on to serve it. Sizes are guesses (`tokens`), corrected
by what the provider measured of the last request, or counted of this one.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.loop import tokens
from agent.loop.shortening import left_out, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.loop.plan import HistoryPolicy
    from llmconfig.llm import Message, Usage

NEAR: Final = 0.8
"""From this share of the room on a guess is worth being checked by the provider's own count."""
TIGHT: Final = 0.6
"""To this share of the window a request is cut that the provider found too long although it seemed to fit."""
USUAL_ANSWER: Final = 8_192
"""Kept free where nobody says how long an answer may be; Anthropic's wire asks for as much."""
_STEPS: Final = 8
_NOTE: Final = 48
"""Tokens of the note in place of what is left out."""
_RATIOS: Final = (0.3, 4.0)
"""Between these a measured size corrects a guess; beyond them it was measured of something else."""


class Cut(NamedTuple):
    """Indices of messages: tool results before `short` are shortened, messages before `start` left out."""

    short: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """messages: of the request. tokens: of the whole request, as guessed and corrected. left_out: messages; shortened: tool results.

    fits: False where not even the least that the policy may leave is small enough; then that least.
    """

    messages: tuple[Message, ...]
    tokens: int
    fits: bool
    left_out: int
    shortened: int
    cut: Cut
    raw: int

    @property
    def is_whole(self) -> bool:
        return not self.left_out and not self.shortened


class Context:
    """The history of one claim of a run, as it grows. window and reserve: tokens; None where nobody knows: then all goes in.

    reserve: kept free for the answer. fixed: tokens of what goes along each time, the system text and the tools.
    """

    def __init__(
        self,
        messages: Iterable[Message] = (),
        *,
        window: int | None = None,
        reserve: int = 0,
        fixed: int = 0,
        policy: HistoryPolicy = "trim",
    ) -> None:
        self.window, self.reserve, self.policy = window, reserve, policy
        self.messages: list[Message] = []
        self._fixed = fixed
        self._full, self._short, self._results = [0], [0], [0]  # sums over the messages before an index; shortened ones; how many are
        self._turns: list[int] = []
        self._ratio, self._is_measured, self._was_counted = 1.0, False, False
        self._sent: Fitted | None = None
        self._floor = Cut()
        self._built: tuple[Cut, list[Message]] = (Cut(), [])
        for message in messages:
            self.append(message)

    def append(self, message: Message, *, begins_turn: bool = True) -> None:
        """begins_turn: false for what a user's message does not say but the loop."""
        shorter, results = shortened(message)
        full = tokens.of_message(message)
        if message.role == "user" and begins_turn:
            self._turns.append(len(self.messages))
        self.messages.append(message)
        self._full.append(self._full[-1] + full)
        self._short.append(self._short[-1] + (tokens.of_message(shorter) if results else full))
        self._results.append(self._results[-1] + results)

    # Fitting

    def fit(self) -> Fitted:
        """What the next request holds."""
        if self.window is None:
            return self._fitted(self._floor, fits=True)
        room = self.window - self.reserve
        cut = self._least(room)
        return self._fitted(cut, fits=self._tokens(cut) <= room)

    def sent(self, fitted: Fitted) -> None:
        """It goes out: within this claim nothing that it leaves out comes back."""
        self._sent, self._floor = fitted, fitted.cut

    def _least(self, room: int) -> Cut:
        """The first cut within `room` tokens, or the last there is."""
        cut = self._floor
        if self.policy == "trim":
            for cut in self._cuts():
                if self._tokens(cut) <= room:
                    break
        return cut

    def _cuts(self) -> Iterator[Cut]:
        """From what was sent last on, ever shorter."""
        floor = self._floor
        yield floor
        count, newest = len(self.messages), self._turns[-1] if self._turns else 0
        unseen = count - 1 if count and self.messages[-1].role == "tool" else count
        top = 0
        for target in self._grid():
            short = bisect_left(self._full, target)
            if short > unseen:
                break
            top = short
            yield Cut(max(floor.short, short), floor.start)
        starts = [self._full[turn] for turn in self._turns]
        for target in self._grid():
            place = bisect_left(starts, target)
            start = self._turns[place] if place < len(starts) else newest
            yield Cut(max(floor.short, top, start), max(floor.start, start))
            if start >= newest:
                break
        yield Cut(max(floor.short, unseen), max(floor.start, newest))
        yield Cut(count, max(floor.start, newest))

    def _grid(self) -> Iterator[int]:
        step = max(1, (self.window or self._full[-1]) // _STEPS)
        return iter(range(step, self._full[-1] + step, step))

    # Sizes

    def _raw(self, cut: Cut) -> int:
        short = max(cut.short, cut.start)
        kept = self._short[short] - self._short[cut.start] + self._full[-1] - self._full[short]
        return self._fixed + kept + (_NOTE if cut.start else 0)

    def _tokens(self, cut: Cut) -> int:
        return int(self._raw(cut) * self._ratio)

    @property
    def wants_count(self) -> bool:
        """The guess is uncorrected and near the window: what `fit` gives is worth one count by the provider."""
        if self.window is None or self._is_measured or self._was_counted:
            return False
        return self._tokens(self._floor) > NEAR * (self.window - self.reserve)

    def counted(self, fitted: Fitted, count: int | None) -> None:
        """The provider's own count of a request; None where it gave none. It is not asked again."""
        self._was_counted = True
        if count:
            self._ratio, self._is_measured = count / max(1, fitted.raw), True

    def measured(self, usage: Usage) -> None:
        """What the provider measured of the request sent last."""
        if self._sent is not None and usage.input_tokens is not None:
            total = usage.input_tokens + (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
            self._correct(total, self._sent.raw)

    def measured_before(self, count: int, total: int) -> None:
        """What it measured of an earlier run's request, of the first `count` messages; ignored where those were more than fit."""
        raw = self._fixed + self._full[min(count, len(self.messages))]
        if self.window is None or raw <= self.window - self.reserve:
            self._correct(total, raw)

    def _correct(self, total: int, raw: int) -> None:
        ratio = total / raw if raw else 0.0
        if _RATIOS[0] <= ratio <= _RATIOS[1]:
            self._ratio, self._is_measured = ratio, True

    def tighten(self) -> bool:
        """The provider found what was sent too long. False where nothing more can be left out."""
        if self._sent is None or self.policy == "refuse":
            return False
        whole = self.window or self._tokens(self._sent.cut)
        self._ratio = max(self._ratio, whole / max(1, self._sent.raw))
        cut = self._least(int(TIGHT * whole))
        if self._raw(cut) >= self._sent.raw:
            return False
        self._floor = cut
        return True

    # Messages

    def _fitted(self, cut: Cut, *, fits: bool) -> Fitted:
        short = max(cut.short, cut.start)
        return Fitted(
            messages=tuple(self._messages(cut)),
            tokens=self._tokens(cut),
            fits=fits,
            left_out=cut.start,
            shortened=self._results[short] - self._results[cut.start],
            cut=cut,
            raw=self._raw(cut),
        )

    def _messages(self, cut: Cut) -> list[Message]:
        before, built = self._built
        if before != cut or (not built and self.messages):
            kept = self.messages[cut.start :]
            built = [shortened(message)[0] if index < cut.short else message for index, message in enumerate(kept, cut.start)]
            if cut.start:
                built.insert(0, left_out(cut.start))
            self._built = (cut, built)
        held = cut.start + len(built) - (1 if cut.start else 0)
        built += self.messages[held:]
        return built


def answer_limit(asked: int | None, *, limit: int | None, window: int | None) -> tuple[int | None, int]:
    """The longest answer to ask for, None to leave it to the wire, and the room to keep for it; both in tokens.

    limit: of the model's answers. A wish beyond it, or beyond half of the window, is cut.
    """
    ask = limit if asked is None and limit is not None and limit < USUAL_ANSWER else asked
    ceilings = [each for each in (limit, window and window // 2) if each]
    if ask is not None:
        ask = min([ask, *ceilings])
        return ask, ask
    return None, min([USUAL_ANSWER, *ceilings, *([window // 4] if window else [])])
