"""Reading licence marks, and deciding, beyond what the lesson shows."""
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from dsnotes.records import documents, run_batches
from dsnotes.sources import (
    LICENSES, PURPOSES, RESERVED, SourceCard, TaskCard, decide_license, drop_unlicensed, spdx_id,
)

MARKS = {
    # Creative Commons addresses: scheme, ending, language, badge, query
    "http://creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0": "CC-BY-4.0",
    "//creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "HTTPS://CreativeCommons.org/licenses/BY-SA/4.0/": "CC-BY-SA-4.0",
    "https://creativecommons.org/licenses/by/4.0/deed.zh-hans": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode.fr": "CC-BY-NC-ND-4.0",
    "https://creativecommons.org/licenses/by/4.0/legalcode.txt": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/?ref=chooser-v1": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/#ref": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/rdf": "CC-BY-4.0",
    "https://i.creativecommons.org/l/by-nc/4.0/88x31.png": "CC-BY-NC-4.0",
    "https://licensebuttons.net/l/by-sa/3.0/80x15.png": "CC-BY-SA-3.0",
    "http://creativecommons.org/licenses/by-nd-nc/1.0/": "CC-BY-NC-ND-1.0",
    "https://creativecommons.org/licenses/by/3.0/us/deed.en": "CC-BY-3.0-US",
    "https://creativecommons.org/licenses/by-sa/3.0/igo/": "CC-BY-SA-3.0-IGO",
    "https://creativecommons.org/licenses/by-sa/2.0/de/": None,  # no such identifier
    "https://creativecommons.org/licenses/by/9.9/": None,
    "https://creativecommons.org/licenses/by/": None,
    "https://creativecommons.org/licenses/": None,
    "https://creativecommons.org/": None,
    "https://creativecommons.org/publicdomain/zero/1.0/deed.ja": "CC0-1.0",
    "https://creativecommons.org/publicdomain/zero/1.0": "CC0-1.0",
    "https://creativecommons.org/publicdomain/mark/1.0/": None,
    "https://creativecommons.org.evil.test/licenses/by/4.0/": None,
    "https://evil.test/creativecommons.org/licenses/by/4.0/": None,
    # other addresses
    "https://opensource.org/licenses/MIT": "MIT",
    "https://opensource.org/license/mit/": "MIT",
    "https://opensource.org/license/apache-2-0": "Apache-2.0",
    "https://opensource.org/licenses/mit-license.php": None,
    "https://www.apache.org/licenses/LICENSE-2.0.txt": "Apache-2.0",
    "http://www.apache.org/licenses/LICENSE-2.0": "Apache-2.0",
    "https://spdx.org/licenses/BSD-3-Clause.html": "BSD-3-Clause",
    "https://spdx.org/licenses/GPL-3.0-or-later": "GPL-3.0-or-later",
    "https://www.gnu.org/licenses/gpl-3.0.html": None,
    "https://example.test/licence": None,
    # Creative Commons in words
    "CC BY-SA 4.0": "CC-BY-SA-4.0", "CC-BY-SA-4.0": "CC-BY-SA-4.0", "cc by 4.0": "CC-BY-4.0",
    "CC BY-NC-SA 3.0": "CC-BY-NC-SA-3.0",
    "CC BY-SA-NC 3.0": "CC-BY-NC-SA-3.0",
    "CC BY‑SA 4.0": "CC-BY-SA-4.0", "CC\u00a0BY\u00a04.0": "CC-BY-4.0", "CC BY v4.0": "CC-BY-4.0",
    "CC0": "CC0-1.0", "CC0 1.0 Universal": "CC0-1.0",
    "CC BY": None, "CC BY-SA": None, "CC BY 4": None, "CC BY 9.9": None, "CC BY-ND-SA 4.0": None,
    "Creative Commons": None,
    "Creative Commons Attribution": None,
    "Creative Commons Attribution 4.0 International (CC BY 4.0)": "CC-BY-4.0",
    "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International License": "CC-BY-NC-ND-4.0",
    "Creative Commons Attribution Noncommercial Share Alike 3.0 Unported": "CC-BY-NC-SA-3.0",
    "Creative Commons Attribution License, version 2.5": "CC-BY-2.5",
    "Creative Commons Attribution-Share Alike 3.0 Germany License": "CC-BY-SA-3.0-DE",
    "Creative Commons Attribution 3.0 United States License": "CC-BY-3.0-US",
    "Creative Commons Attribution-ShareAlike 2.0 United Kingdom": None,
    "Creative Commons Attribution 3.0 France": None, "CC BY 3.0 IGO": "CC-BY-3.0-IGO",
    "cc-by-3.0-fr": None, "cc-by-3.0-de": "CC-BY-3.0-DE",
    "Text on this page: CC BY 4.0": "CC-BY-4.0", "Licensed under CC BY 4.0. Photos: see captions.": "CC-BY-4.0",
    "CC BY (https://creativecommons.org/licenses/by/4.0/)": "CC-BY-4.0",
    "CC BY-NC (https://creativecommons.org/licenses/by/4.0/)": None,
    "CC BY 3.0 (https://creativecommons.org/licenses/by/4.0/)": None,
    "Unless otherwise stated, this work is licensed under CC BY-SA 4.0": "CC-BY-SA-4.0",
    "This work is not licensed under CC BY 4.0": None, "Formerly CC BY 3.0": None, "No longer under CC0": None,
    # Creative Commons in the words of other languages
    "Creative Commons Namensnennung - Weitergabe unter gleichen Bedingungen 4.0 International": "CC-BY-SA-4.0",
    "Creative Commons Namensnennung 3.0 Deutschland": "CC-BY-3.0-DE",
    "Creative Commons Namensnennung 3.0 Österreich": "CC-BY-3.0-AT",
    "Creative Commons Namensnennung - Nicht-kommerziell - Keine Bearbeitung 3.0 Deutschland": "CC-BY-NC-ND-3.0-DE",
    "Licence Creative Commons Attribution - Pas d’Utilisation Commerciale 4.0 International": "CC-BY-NC-4.0",
    "Creative Commons Attribution - Partage dans les Mêmes Conditions 3.0 non transposé": "CC-BY-SA-3.0",
    "Creative Commons Atribución-NoComercial-SinDerivadas 4.0 Internacional": "CC-BY-NC-ND-4.0",
    "Creative Commons Attribuzione - Condividi allo stesso modo 3.0 Italia": None,
    "Creative Commons Atribuição-CompartilhaIgual 4.0 Internacional": "CC-BY-SA-4.0",
    "Creative Commons Naamsvermelding-GelijkDelen 4.0 Internationaal-licentie": "CC-BY-SA-4.0",
    "Creative Commons Namensnennung": None,
    "Nicht unter CC BY 4.0": None, "Soweit nicht anders angegeben, CC BY 4.0": "CC-BY-4.0",
    "Für nicht-kommerzielle Zwecke: CC BY-NC 4.0": "CC-BY-NC-4.0", "Ce texte n’est plus sous CC BY 4.0": None,
    # software licences in words
    "MIT": "MIT", "mit": "MIT", "MIT License": "MIT", "License: MIT": "MIT",
    "License :: OSI Approved :: MIT License": "MIT",
    "A course given at MIT": None,
    "under the MIT-0 licence": "MIT-0", "Apache License, Version 2.0": "Apache-2.0", "Apache-2.0": "Apache-2.0",
    "Apache Software License": None,
    'Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance '
    'with the License.': "Apache-2.0",
    "BSD": None, "BSD License": None, "3-Clause BSD License": "BSD-3-Clause", "Simplified BSD": "BSD-2-Clause",
    "BSD-4-Clause": None, "BSD-3-Clause-Clear": None, "MIT-CMU": None, "Apache-2.0-licensed": "Apache-2.0",
    "GPLv3": None, "GPLv3+": "GPL-3.0-or-later", "GPL-3.0": None,
    "GNU General Public License v2.0 only": "GPL-2.0-only",
    "GNU Lesser General Public License v2.1 or later": "LGPL-2.1-or-later",
    "GNU Affero General Public License, version 3.0, or any later": "AGPL-3.0-or-later",
    "gpl-3.0-only": "GPL-3.0-only", "Licensed under AGPL-3.0-or-later": "AGPL-3.0-or-later", "PSF-2.0": "PSF-2.0",
    "Python Software Foundation License": None,
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Open Government Licence v3.0": "OGL-UK-3.0",
    "ODbL 1.0": "ODbL-1.0",
    "The Unlicense": "Unlicense",
    "MIT OR Apache-2.0": None, "CC-BY-4.0 AND MIT": None, "Code: MIT License. Text: CC BY 4.0.": None,
    # reserved
    "All rights reserved": RESERVED, "© Millbrook Bicycle Workshop. All rights reserved.": RESERVED,
    "© 2024 Millbrook": None,
    "Some rights reserved": None,
    "All rights reserved. CC BY 4.0": None, "": None, "   ": None, "public domain": None, "Written by hand": None,
    "Send it by email, cc by post": None,
}


@pytest.mark.parametrize(("mark", "expected"), MARKS.items())
def test_marks(mark, expected):
    assert spdx_id(mark) == expected


def test_a_mark_repeated_a_thousand_times_is_one_mark():
    assert spdx_id("Licensed under CC BY 4.0. " * 1000) == "CC-BY-4.0"
    assert spdx_id("Licensed under CC BY 4.0. " * 1000 + "Not under CC BY 4.0.") is None


@given(st.text(max_size=200))
def test_any_text_gives_a_known_licence_or_none(mark):
    assert spdx_id(mark) in {None, *LICENSES}


@pytest.mark.parametrize("license_id", LICENSES)
def test_identifiers_are_official_and_read_back(license_id):
    # packaging carries the SPDX list: an outside oracle
    assert canonicalize_license_expression(license_id) == license_id
    assert spdx_id(license_id) == spdx_id(license_id.lower()) == license_id
    assert spdx_id(f"Text: {license_id}.") in (license_id, None)


@pytest.mark.parametrize("terms", [t for t in LICENSES.values() if t.url])
def test_addresses_read_back(terms):
    assert spdx_id(terms.url) == terms.id


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("license_id", LICENSES)
def test_money_never_makes_a_licence_wider(license_id, purpose):
    width = ["no", "ask", "yes"]
    free, paid = decide_license(license_id, purpose), decide_license(license_id, purpose, commercial=True)
    assert width.index(paid.use) <= width.index(free.use)
    assert free.reason and free.evidence
    if "NC" in license_id: assert paid.use == "no"


def test_decisions():
    uses = {key: decide_license(*key).use for key in [
        ("CC-BY-ND-4.0", "train"), ("CC-BY-ND-3.0", "train"), ("CC-BY-ND-4.0", "publish"), (RESERVED, "train"),
        (RESERVED, "publish"), (None, "publish"), ("CC-BY-SA-4.0", "publish"), ("MIT", "publish"),
        ("CC0-1.0", "publish"), ("Zlib", "train")]}
    assert list(uses.values()) == ["yes", "ask", "ask", "ask", "no", "ask", "yes", "yes", "yes", "ask"]
    assert "3(b)" in decide_license("CC-BY-SA-4.0", "publish").evidence
    assert "without conditions" in decide_license("CC0-1.0", "publish").reason


def test_drop_unlicensed_tables():
    licenses = ("CC-BY-4.0", None, RESERVED, "CC-BY-NC-4.0", "CC-BY-4.0")
    table = documents(dict(text="a b", source="s", license=value) for value in licenses)
    out = drop_unlicensed(table, purpose="publish", commercial=True)
    assert out["drop_reason"].is_null().to_pylist() == [True, False, False, False, True]
    assert out["drop_reason"][1].as_py() == "license: none stated (ask: nobody stated a licence: ask the owner)"
    kept = drop_unlicensed(table, purpose="publish", commercial=True, keep_ask=True)["drop_reason"].is_null()
    assert kept.to_pylist() == [True, True, False, False, True]
    assert run_batches(drop_unlicensed, table, batch_rows=2) == drop_unlicensed(table)
    empty = drop_unlicensed(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema.field("drop_reason").type == pa.string()
    with pytest.raises(ValueError, match="purpose"): drop_unlicensed(table, purpose="sell")


def test_cards():
    with pytest.raises(ValueError, match="goal"): TaskCard(goal=" ")
    with pytest.raises(ValueError, match="way_in"): SourceCard(name="x", url="http://x.test/", way_in="theft")
    card = SourceCard(name="<b>x", url="http://x.test/")
    assert "license" in card.gaps() and card.decide(TaskCard(goal="g")).use == "ask"
    assert "<b>x" not in card._repr_html_() and "∅" in card._repr_html_()
