// SPDX-License-Identifier: BSD-3-Clause
//
// A book is the same for the next process, whenever the one before ended, or is not taken at all.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "fake_manager.hpp"
#include "keep/book.hpp"
#include "next_process.hpp"

namespace vballoon::keep {
namespace {

constexpr Book::Form kForm{"book", "what a test writes", 0x1234, 96};

Book new_book() {
  auto book = Book::make(kForm);
  EXPECT_TRUE(book) << book.error().message;
  return *std::move(book);
}

Book next_of(const Book& book) {
  auto next = Book::adopt(kForm, UniqueFd::duplicate(book.fd()));
  EXPECT_TRUE(next) << next.error().message;
  return *std::move(next);
}

/// What its owner has on the page.
char& letter_of(PageName& name) {
  return reinterpret_cast<char*>(&name)[sizeof(PageName)];
}

PageName& begin(const Book& book, std::string_view name, char text) {
  PageName& page = *book.find_free();
  letter_of(page) = text;
  page.set(name);
  return page;
}

TEST(Book, HasItsPagesAndItsFrontInTheNextProcess) {
  const Book book = new_book();
  begin(book, "vm1", 'a');
  begin(book, "vm12", 'b');
  std::memcpy(book.front(), "front", 6);
  const Book next = next_of(book);
  ASSERT_NE(next.find("vm1"), nullptr);
  EXPECT_EQ(letter_of(*next.find("vm1")), 'a');
  EXPECT_EQ(letter_of(*next.find("vm12")), 'b');
  EXPECT_EQ(next.find("vm"), nullptr);
  EXPECT_EQ(next.find("vm123"), nullptr);
  EXPECT_EQ(next.find(""), nullptr);
  EXPECT_STREQ(reinterpret_cast<const char*>(next.front()), "front");
}

TEST(Book, IsEmptyAtFirst) {
  const Book book = new_book();
  for (std::size_t i = 0; i < Book::kFrontBytes; ++i) EXPECT_EQ(book.front()[i], std::byte{0});
  for (std::size_t i = 0; i < Book::kPages; ++i) {
    PageName* const page = book.find_free();
    ASSERT_NE(page, nullptr) << i;
    EXPECT_EQ(letter_of(*page), '\0');
    page->set("vm" + std::to_string(i));
  }
  EXPECT_EQ(book.find_free(), nullptr);
}

TEST(Book, ATakenPageIsNobodysOnceItIsCleared) {
  const Book book = new_book();
  const std::string longest(PageName::kLongest, 'x');
  begin(book, longest, 'a').clear();
  EXPECT_EQ(book.find(longest), nullptr);
  PageName& page = begin(book, longest, 'b');
  EXPECT_EQ(book.find(longest), &page);
  EXPECT_EQ(page.text(), longest);
  EXPECT_EQ(book.find(longest + "x"), nullptr);
  page.set("vm0");
  EXPECT_EQ(page.text(), "vm0");
}

TEST(Book, OnlyPagesOfThoseThatAreThereAreKept) {
  const Book book = new_book();
  begin(book, "vm0", 'a');
  begin(book, "vm1", 'b');
  book.keep_only([](std::string_view name) { return name == "vm1"; });
  EXPECT_EQ(book.find("vm0"), nullptr);
  ASSERT_NE(book.find("vm1"), nullptr);
  EXPECT_EQ(letter_of(*book.find("vm1")), 'b');
}

TEST(Book, OfAnotherFormIsRefused) {
  const Book book = new_book();
  Book::Form other = kForm;
  other.magic += 1;
  Book::Form larger = kForm;
  larger.page_bytes += 8;
  for (const Book::Form& form : {other, larger}) {
    const auto refused = Book::adopt(form, UniqueFd::duplicate(book.fd()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("what a test writes"), std::string::npos);
  }
}

/// A process that ends at any store leaves a page with its whole name, or nobody's.
TEST(Book, APageHasItsNameAtOnce) {
  const Book book = new_book();
  PageName& page = begin(book, "vm1", 'a');
  page.clear();
  EXPECT_EQ(page.text(), "");
  EXPECT_EQ(reinterpret_cast<const char*>(&page)[1], 'm') << "one store, and no more";
  EXPECT_TRUE(page.text().empty());
  page.set("x2");
  EXPECT_EQ(page.text(), "x2");
  EXPECT_EQ(reinterpret_cast<const char*>(&page)[2], '\0');
}

class KeptBook : public testing::Test {
 protected:
  /// As the manager got it.
  UniqueFd kept(const Book::Form& form = kForm) {
    Packet packet;
    EXPECT_EQ(manager_.received(&packet), "FDSTORE=1\nFDPOLL=0\nFDNAME=" + std::string(form.name));
    return packet.descriptors.empty() ? UniqueFd() : std::move(packet.descriptors[0]);
  }

  FakeManager manager_{"notify"};
  Notifier notifier_;
  const Store store_{notifier_};
};

TEST_F(KeptBook, IsStoredOnceAndTakenByEachProcessThatFollows) {
  Inherited none;
  const auto book = Book::open(kForm, none, store_);
  ASSERT_TRUE(book) << book.error().message;
  begin(*book, "vm0", '0');
  const UniqueFd fd = kept();
  ASSERT_TRUE(fd.valid());
  for (char round = '0'; round < '3'; ++round) {
    EXPECT_TRUE(in_the_next_process(fd.get(), "book", [&](Inherited& all) {
      const auto next = Book::open(kForm, all, store_);
      return next && next->find("vm0") != nullptr && letter_of(*next->find("vm0"))++ == round;
    }));
  }
  Packet packet;
  EXPECT_EQ(manager_.received(&packet), "") << "the manager has it";
}

TEST_F(KeptBook, OfAnotherFormGivesWayToAnEmptyOne) {
  Inherited none;
  const auto book = Book::open(kForm, none, store_);
  ASSERT_TRUE(book);
  begin(*book, "vm0", 'a');
  const UniqueFd fd = kept();
  Book::Form other = kForm;
  other.magic += 1;
  EXPECT_TRUE(in_the_next_process(fd.get(), "book", [&](Inherited& all) {
    const auto next = Book::open(other, all, store_);
    return next && next->find("vm0") == nullptr;
  }));
  Packet packet;
  EXPECT_EQ(manager_.received(&packet), "FDSTOREREMOVE=1\nFDNAME=book");
  EXPECT_TRUE(kept(other).valid());
}

}  // namespace
}  // namespace vballoon::keep
